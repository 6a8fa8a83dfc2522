"""The one Celery app. A message is a hint; the rows say what is to be done."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init, worker_process_init
from django.conf import settings

from jobs.schedule import SCHEDULE
from mlplatform.checks import refuse_unsafe_start
from mlplatform.foundation.database import set_deadline

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlplatform.settings")

app = Celery("mlplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = SCHEDULE


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Celery leaves logging alone when someone listens here: PlatformConfig has set it up."""


@worker_init.connect
@beat_init.connect
def refuse(**kwargs: Any) -> None:
    """Celery is told to skip Django's checks, which would ask for the database."""
    refuse_unsafe_start()


@worker_process_init.connect
def limit_queries(**kwargs: Any) -> None:
    set_deadline(settings.DATABASE_DEADLINE_SECONDS * 30)
