"""What there is to serve: models, their versions, and the names that point at them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Prefetch, Q

from accounts.models import Organization
from mlplatform.foundation.uuid7 import uuid7
from registry.caching import ALWAYS, AUTO, NEVER
from registry.import_rules import ImportRule as ImportRule
from registry.payloads import ALL, NONE, SAMPLED, Payloads
from registry.versions import ModelVersion as ModelVersion

CHAMPION = "champion"


def as_uuid(text: str) -> UUID | None:
    """The UUID that `text` writes, or None: URLs take an id or a name."""
    try:
        return UUID(text)
    except ValueError:
        return None


class RegisteredModelQuerySet(models.QuerySet["RegisteredModel"]):
    def for_organization(self, organization: Organization) -> "RegisteredModelQuerySet":
        """Of these the ones that the caller's key may see, if it is restricted."""
        models = self.filter(organization=organization)
        only = organization.only_models
        return models if only is None else models.filter(pk__in=only)

    def live(self) -> "RegisteredModelQuerySet":
        return self.filter(deleted_at=None)

    def called(self, reference: str) -> "RegisteredModelQuerySet":
        """The model with this id or this name."""
        identifier = as_uuid(reference)
        return self.filter(pk=identifier) if identifier else self.filter(name=reference)

    def with_standing(self) -> "RegisteredModelQuerySet":
        """Each with `champions` and `newest`: lists of the one alias and version, if any."""
        newest = ModelVersion.objects.latest_first().defer(*ModelVersion.LARGE)[:1]
        champion = Alias.objects.filter(name=CHAMPION).select_related("version")
        champion = champion.defer(*(f"version__{name}" for name in ModelVersion.LARGE))
        return self.prefetch_related(
            Prefetch("aliases", champion, to_attr="champions"),
            Prefetch("versions", newest, to_attr="newest"),
        )


class RegisteredModel(models.Model):
    """A name under which versions are served. Deleted, its row stays: logs refer to it."""

    class Caching(models.TextChoices):
        AUTO = AUTO, "where an answer costs more than remembering it"
        ALWAYS = ALWAYS
        NEVER = NEVER

    class UnknownColumns(models.TextChoices):
        REFUSE = "refuse", "refuse the request"
        IGNORE = "ignore", "leave them out"

    class Payloads(models.TextChoices):
        ALL = ALL, "of every request"
        SAMPLED = SAMPLED, "of some requests"
        NONE = NONE

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="models")
    name = models.SlugField(max_length=100, help_text="part of the endpoint's URL")
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    caching = models.CharField(
        max_length=10,
        choices=Caching,
        default=Caching.AUTO,
        help_text="whether answers are remembered: by what they cost, always or never",
    )
    unknown_columns = models.CharField(
        max_length=10,
        choices=UnknownColumns,
        default=UnknownColumns.REFUSE,
        help_text="what is done with columns that the model does not take",
    )
    payloads = models.CharField(
        max_length=10,
        choices=Payloads,
        default=Payloads.ALL,
        help_text="whether the prediction log keeps rows and answers",
    )
    redacted = models.JSONField(
        default=list, blank=True, help_text="columns whose values the log never keeps"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = RegisteredModelQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at"]
        indexes = [
            models.Index(fields=["organization", "-updated_at"], name="model_by_organization")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=Q(deleted_at=None),
                name="model_name_is_unique_while_live",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ignores_unknown_columns(self) -> bool:
        return self.unknown_columns == self.UnknownColumns.IGNORE

    @property
    def kept_payloads(self) -> Payloads:
        """What the log keeps of the requests."""
        return Payloads(self.payloads, settings.PAYLOAD_SAMPLE, frozenset(self.redacted))

    def touch(self, *, at: datetime) -> None:
        self.updated_at = at
        self.save(update_fields=["updated_at"])

    def describe(self, *, at: datetime, **changes: Any) -> None:
        """Change what is said of it, or how it answers and logs."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.updated_at = at
        self.save(update_fields=[*changes, "updated_at"])

    def soft_delete(self, *, at: datetime) -> None:
        self.deleted_at = at
        self.save(update_fields=["deleted_at"])


class Alias(models.Model):
    """A name for a version. `champion` answers when the caller asks for none."""

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="aliases")
    name = models.SlugField(max_length=50)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="aliases")
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "aliases"
        ordering = ["model", "name"]
        constraints = [
            models.UniqueConstraint(fields=["model", "name"], name="alias_is_unique_in_its_model")
        ]

    def __str__(self) -> str:
        return f"{self.model.name}@{self.name}"
