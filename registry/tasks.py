"""Celery tasks of the registry. A message is a hint: the version's row says what is to be done."""

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from celery import shared_task
from django.utils.timezone import now
from kombu.exceptions import OperationalError

from registry import admission
from registry.models import ModelVersion

logger = structlog.get_logger(__name__)


@shared_task
def admit_version(*, version_id: str, **kwargs: Any) -> None:
    admission.admit(UUID(version_id), at=now())


def request_admission(version_id: UUID) -> None:
    """Ask a worker for it. A lost request costs seconds: the sweeper repeats it."""
    try:
        admit_version.delay(version_id=str(version_id))
    except OperationalError:
        logger.warning("admission not requested; the sweeper will", version_id=str(version_id))


def request_waiting(*, at: datetime) -> int:
    """Ask again for every version that waits. Returns how many there are."""
    # In any order: those that wait for good, for lost bytes say, must not keep the others back.
    some = ModelVersion.objects.waiting(at=at).order_by("?")[:100]
    waiting = list(some.values_list("pk", flat=True))
    for version_id in waiting:
        request_admission(version_id)
    return len(waiting)
