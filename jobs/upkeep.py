"""Periodic work on the tables. Every function may run twice, or at the same time as itself."""

from datetime import datetime, timedelta

import structlog
from django.conf import settings

from accounts.models import TokenFamily
from inference import partitions
from registry import artifacts, golden
from registry.sandbox import SandboxError

# Of one file into the storage, by far.
LONGEST_WRITE = timedelta(hours=1)

logger = structlog.get_logger(__name__)


def make_prediction_partitions(*, at: datetime) -> list[str]:
    """The days ahead of the prediction log. Returns the names of the new partitions."""
    made = partitions.ensure_partitions(at)
    if made:
        logger.info("partitions made", partitions=made)
    return made


def replay_golden_examples() -> int:
    """Of versions that other libraries admitted than run now. Returns how many had to be held."""
    try:
        # Other upkeep waits meanwhile; asked again in a minute, it goes on with the rest.
        return golden.replay_outdated(seconds=20)
    except SandboxError as error:
        logger.warning("golden examples not replayed", reason=error.reason)
        return 0


def sweep_incoming(*, at: datetime) -> int:
    """Files that nobody goes on writing. Returns how many."""
    count = artifacts.sweep_incoming(before=at - LONGEST_WRITE)
    if count:
        logger.info("incoming files swept", count=count)
    return count


def drop_old_predictions(*, at: datetime) -> list[str]:
    """Whole days past PREDICTION_RETENTION_DAYS. Returns the names of the dropped partitions."""
    oldest_kept = at - timedelta(days=settings.PREDICTION_RETENTION_DAYS)
    dropped = partitions.drop_partitions(older_than=oldest_kept)
    if dropped:
        logger.info("partitions dropped", partitions=dropped)
    return dropped


def flush_expired_tokens(*, at: datetime) -> int:
    """Families of tokens that nobody can use any more. Returns how many."""
    count, _ = TokenFamily.objects.ended(at=at).delete()
    return count
