"""Loads what belongs to the project rather than to an app of it."""

from django.apps import AppConfig
from django.conf import settings

from mlplatform import checks, logs
from mlplatform.celery import app as celery_app

__all__ = ["PlatformConfig", "celery_app", "checks"]


class PlatformConfig(AppConfig):
    name = "mlplatform"

    def ready(self) -> None:
        logs.configure(log_format=settings.LOG_FORMAT, level=settings.LOG_LEVEL)
