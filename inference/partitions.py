"""The days of the prediction log: one partition each, made ahead, dropped whole."""

from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

TABLE = "inference_prediction"

# Any number, the same in every process: makers of partitions wait for each other.
_LOCK = 0x70726564

_MOVE = """
WITH moved AS (
    DELETE FROM {table}_default WHERE ts >= %(start)s AND ts < %(end)s RETURNING *
)
INSERT INTO {name} SELECT * FROM moved
"""
_DAYS = """
SELECT inhrelid::regclass::text FROM pg_inherits
WHERE inhparent = %s::regclass AND inhrelid::regclass::text ~ '_[0-9]{8}$' ORDER BY 1
"""


def ensure_partitions(at: datetime, *, days_ahead: int = 7) -> list[str]:
    """Make the partitions of today and the next days. Returns the names of the new ones."""
    today = at.astimezone(UTC).date()
    wanted = [today + timedelta(days=ahead) for ahead in range(days_ahead + 1)]
    missing = [day for day in wanted if name_of(day) not in partitions()]
    return [name_of(day) for day in missing if _make(day)]


def drop_partitions(*, older_than: datetime) -> list[str]:
    """Drop every day that ended before `older_than`. Returns the names of the dropped ones."""
    last = name_of(older_than.astimezone(UTC).date())
    dropped = [name for name in partitions() if name < last]
    with connection.cursor() as cursor:
        for name in dropped:
            # DETACH CONCURRENTLY is refused beside a DEFAULT partition; this locks for an instant.
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
        cursor.execute(f"DELETE FROM {TABLE}_default WHERE ts < %s", [older_than])  # noqa: S608  # nosec B608 # a constant of ours
    return dropped


def partitions() -> list[str]:
    """The names of the days there are, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, [TABLE])
        return [name for (name,) in cursor.fetchall()]


def name_of(day: date) -> str:
    return f"{TABLE}_{day:%Y%m%d}"


@transaction.atomic
def _make(day: date) -> bool:
    """False when somebody else was faster."""
    name = name_of(day)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    bounds = {"start": start, "end": start + timedelta(days=1)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if name in partitions():
            return False
        # Made apart and attached: rows of this day that the DEFAULT partition took meanwhile
        # come along, and readers and writers of the other days go on.
        cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING CONSTRAINTS)")
        cursor.execute(_MOVE.format(table=TABLE, name=name), bounds)
        cursor.execute(
            f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM (%(start)s) TO (%(end)s)",
            bounds,
        )
    return True
