"""What beat starts. Each is one call; see jobs/schedule.py for when."""

from typing import Any

from celery import shared_task
from django.utils.timezone import now

from accounts import generation
from jobs import upkeep
from registry.tasks import request_waiting


@shared_task
def request_waiting_admissions(**kwargs: Any) -> None:
    request_waiting(at=now())


@shared_task
def replay_golden_examples(**kwargs: Any) -> None:
    upkeep.replay_golden_examples()


@shared_task
def sweep_incoming(**kwargs: Any) -> None:
    upkeep.sweep_incoming(at=now())


@shared_task
def make_prediction_partitions(**kwargs: Any) -> None:
    upkeep.make_prediction_partitions(at=now())


@shared_task
def drop_old_predictions(**kwargs: Any) -> None:
    upkeep.drop_old_predictions(at=now())


@shared_task
def flush_expired_tokens(**kwargs: Any) -> None:
    upkeep.flush_expired_tokens(at=now())


@shared_task
def republish_generations(**kwargs: Any) -> None:
    generation.republish_recent(at=now())
