"""The prediction log, as written by a request: a line in this process's own spool segment.

A line survives the process (kill -9) and needs neither Redis nor PostgreSQL.
`inference.drainer` moves it to PostgreSQL. The two agree on this:

- a segment is `<name>.log`, appended to by one process under a lock on the file;
- who holds that lock may rename it to `<name>.sealed`; nobody writes to it from then on;
- a last line without its end was never acknowledged.
"""

import errno
import fcntl
import os
import threading
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.conf import settings

from inference.errors import SpoolFull
from mlplatform.foundation.uuid7 import uuid7

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: its fields are the columns of `inference.models.Prediction`."""

    id: UUID
    ts: datetime
    organization_id: UUID
    model_id: UUID
    version_id: UUID
    version_number: int
    user_id: UUID | None
    api_key_id: UUID | None
    request_id: str
    rows: int
    status: str
    error_code: str
    cached_rows: int
    latency_us: int
    inputs: Any
    outputs: Any
    source: str


class Spool:
    """This process's end of the spool. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._descriptor = -1

    def append(self, line: bytes) -> None:
        """Write one line, its end included. Raises OSError; then nothing of it is kept.

        No fsync unless SPOOL_FSYNC asks for it: it would cost a hundred times the rest, and only
        a crash of the whole machine loses what the kernel has taken (some seconds of it).
        """
        with self._lock:
            while not self._holds_segment():
                self._open_segment()
            try:
                self._write(line)
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        _check_room(size)  # a segment that nobody drains
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, "only a part of the line was written")
            if settings.SPOOL_FSYNC:
                os.fsync(self._descriptor)
        except OSError:
            # Half a line would spoil the next one.
            os.ftruncate(self._descriptor, size)
            raise

    def _holds_segment(self) -> bool:
        """Take the segment's lock; False when the drainer has the segment, or had it."""
        if self._path is None:
            return False
        try:
            # Never wait: a drainer stopped in the middle of sealing must not stop predictions.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.stat(self._path)
        except (BlockingIOError, FileNotFoundError):
            self.close()
            return False
        return True

    def _open_segment(self) -> None:
        directory = Path(settings.SPOOL_DIR)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_room(sum(file.stat().st_size for file in directory.iterdir()))
        path = directory / f"{uuid7()}-{os.getpid()}.log"
        self._descriptor = os.open(
            path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        self._path = path

    def close(self) -> None:
        if self._path is not None:
            os.close(self._descriptor)
            self._path = None


def _check_room(used: int) -> None:
    """Raises OSError where the log has taken all that it may."""
    if used >= settings.SPOOL_MAX_BYTES:
        raise OSError(errno.ENOSPC, "the prediction log waits for PostgreSQL and is full")


spool = Spool()


def append(entry: Entry) -> None:
    """Log one prediction for good. Raises SpoolFull: then it must not be answered.

    With SPOOL_WHEN_FULL=forget a full spool loses the line instead, and says so in our own log.
    """
    try:
        line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # it reads 1024 levels, and writes 254
        entry = replace(entry, inputs=["nested too deeply to be logged"])
        line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
    try:
        spool.append(line)
    except OSError as error:
        if settings.SPOOL_WHEN_FULL == "forget" and error.errno in (errno.ENOSPC, errno.EDQUOT):
            logger.error("prediction not logged", prediction_id=str(entry.id), cause=str(error))
            return
        raise SpoolFull(
            "The prediction was made but cannot be logged just now, so it is not given. "
            "Try again later.",
            retry_after=10,
        ) from error


def _start_afresh() -> None:
    global spool
    # A forked child shares its parent's descriptor, and with it the lock: it needs its own.
    spool = Spool()


os.register_at_fork(after_in_child=_start_afresh)
