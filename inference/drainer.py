"""Moves the spool into PostgreSQL: at least once, and once only by the primary key (ts, id).

seal -> read -> COPY -> INSERT … ON CONFLICT DO NOTHING -> commit -> unlink.
Wherever this process dies, the next one goes on from the files.
"""

import fcntl
import io
import logging
import os
import re
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from django.db import DatabaseError, connection, transaction
from django.db import Error as DatabaseTrouble
from django.utils import timezone

from inference.partitions import TABLE, ensure_partitions

logger = logging.getLogger(__name__)

PAUSE = 0.5  # seconds between passes, and the longest a line waits while all is well
LONGEST_PAUSE = 10.0
BATCH_BYTES = 8 * 2**20

# SQLSTATE classes in which the line is at fault, not the server: data, integrity, limits.
_POISON = ("22", "23", "54")
# JSON may hold U+0000, jsonb may not. An even number of backslashes before leaves it an escape.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")

_STAGE = "CREATE TEMPORARY TABLE staged_prediction (line jsonb)"
_COPY = "COPY staged_prediction (line) FROM STDIN"
_INSERT = f"""
INSERT INTO {TABLE} SELECT entry.* FROM staged_prediction,
    jsonb_populate_record(NULL::{TABLE}, line) AS entry
ON CONFLICT DO NOTHING
"""  # noqa: S608  # nosec B608 # a constant of ours
_UNSTAGE = "DROP TABLE staged_prediction"


def run(directory: Path, *, stop: threading.Event) -> None:
    """Drain until `stop`; while PostgreSQL or the disk is away, wait longer and keep the files."""
    pause, prepared = PAUSE, None
    while not stop.is_set():
        try:
            prepared = _prepare_days(prepared)
            drain(directory)
            pause = PAUSE
        except (DatabaseTrouble, OSError):
            logger.exception("The prediction log is not drained; the spool keeps it")
            connection.close()
            pause = min(pause * 2, LONGEST_PAUSE)
        stop.wait(pause)


def drain(directory: Path) -> int:
    """One pass over all there is. Returns how many predictions were new to PostgreSQL."""
    for path in directory.glob("*.log"):
        seal(path)
    return sum(_drain_segment(path) for path in sorted(directory.glob("*.sealed")))


def seal(path: Path) -> None:
    """Take the segment from its writer, dead or alive; leave it while it is being written to."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # another drainer's
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.rename(path.with_suffix(".sealed"))
    except (BlockingIOError, FileNotFoundError):
        pass  # its turn comes with the next pass
    finally:
        os.close(descriptor)


def _prepare_days(prepared: date | None) -> date:
    """Once a day make the partitions ahead, even if nothing else does."""
    at = timezone.now()
    if prepared != at.date():
        ensure_partitions(at)
    return at.date()


def _drain_segment(path: Path) -> int:
    try:
        segment = path.open("rb")
    except FileNotFoundError:
        return 0  # another drainer's
    with segment:
        stored = sum(_store(lines, path) for lines in _batches(segment, path))
    path.unlink(missing_ok=True)
    return stored


def _batches(segment: io.BufferedReader, path: Path) -> Iterator[list[bytes]]:
    while lines := segment.readlines(BATCH_BYTES):
        if not lines[-1].endswith(b"\n"):
            _set_aside(lines.pop(), path, "it has no end: the machine or the writer crashed")
        yield lines


def _store(lines: list[bytes], path: Path) -> int:
    """Write the lines; what PostgreSQL will never take is found by halving and set aside."""
    if not lines:
        return 0
    try:
        return _copy(lines)
    except DatabaseError as error:
        if not _is_poison(error):
            raise
        if len(lines) == 1:
            _set_aside(lines[0], path, str(error).partition("\n")[0])
            return 0
    middle = len(lines) // 2
    return _store(lines[:middle], path) + _store(lines[middle:], path)


@transaction.atomic
def _copy(lines: list[bytes]) -> int:
    # psycopg2 cannot COPY under the wait callback of foundation.database: none is set here.
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with connection.wrap_database_errors:
            cursor.copy_expert(_COPY, io.BytesIO(b"".join(map(_escaped, lines))))
        cursor.execute(_INSERT)
        stored = cursor.rowcount
        cursor.execute(_UNSTAGE)
    return stored


def _escaped(line: bytes) -> bytes:
    """JSON as COPY's text format has it."""
    if b"\\" not in line:
        return line
    return _NUL.sub(rb"\1\\ufffd", line).replace(b"\\", rb"\\")


def _is_poison(error: DatabaseError) -> bool:
    state = getattr(error.__cause__, "pgcode", None) or ""
    return state.startswith(_POISON)


def _set_aside(line: bytes, path: Path, reason: str) -> None:
    bad = path.with_suffix(".bad")
    with open(os.open(bad, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb") as file:
        file.write(line.rstrip(b"\n") + b"\n")
    logger.error("A line of the prediction log is set aside in %s: %s", bad.name, reason)
