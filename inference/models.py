"""What was asked of a model and what it answered."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models

from accounts.models import Organization
from mlplatform.foundation.uuid7 import created_at, uuid7


class PredictionQuerySet(models.QuerySet):
    def for_organization(self, organization: Organization) -> Self:
        """Of these the ones of models that the caller's key may see, if it is restricted."""
        predictions = self.filter(organization_id=organization.pk)
        only = organization.only_models
        return predictions if only is None else predictions.filter(model_id__in=only)

    def of_model(self, model_id: UUID) -> Self:
        return self.filter(model_id=model_id)

    def since(self, moment: datetime) -> Self:
        return self.filter(ts__gte=moment)

    def failed(self) -> Self:
        return self.filter(status=Prediction.Status.ERROR)

    def identified(self, prediction_id: UUID) -> Self:
        """At most one. The id carries its time, so only one partition is looked into."""
        try:
            ts = created_at(prediction_id)
        except (OverflowError, ValueError):  # no id of ours: its time is beyond the year 9999
            return self.none()
        return self.filter(ts=ts, id=prediction_id)

    def newest_first(self) -> Self:
        return self.order_by("-ts", "-id")

    def without_payloads(self) -> Self:
        return self.defer("inputs", "outputs")


class Prediction(models.Model):
    """One request that reached a model, answered or failed. Append-only: the drainer writes it.

    The table is partitioned by day on `ts` (see the migration), so it is not
    Django's to make. Its primary key is (ts, id); Django is told `id` alone,
    which is as unique (a UUIDv7), because the admin cannot show composite keys.
    `ts` is the time that `id` carries. There are no foreign keys: the log
    outlives what it tells of, and is written by COPY.
    """

    class Status(models.TextChoices):
        OK = "ok"
        ERROR = "error"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    ts = models.DateTimeField("answered at")
    organization_id = models.UUIDField()
    model_id = models.UUIDField()
    version_id = models.UUIDField()
    version_number = models.PositiveIntegerField()
    user_id = models.UUIDField(null=True)
    api_key_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status)
    error_code = models.CharField(max_length=64, blank=True)
    cached_rows = models.PositiveIntegerField()
    latency_us = models.PositiveBigIntegerField()
    inputs = models.JSONField(null=True)  # None: the model's owner wants none kept
    outputs = models.JSONField(null=True)
    source = models.CharField(max_length=20)

    objects = PredictionQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "inference_prediction"

    def __str__(self) -> str:
        return str(self.pk)

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("The prediction log is written by the drainer only.")

    @property
    def latency_ms(self) -> float:
        return self.latency_us / 1000
