"""What there is to serve: models, their versions, and the names that point at them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Prefetch, Q
from django.db.models.functions import Coalesce

from accounts.models import Organization
from mlplatform.foundation.uuid7 import uuid7
from registry.caching import ALWAYS, AUTO, NEVER, Caching, decide
from registry.errors import ClaimLost
from registry.import_rules import ImportRule as ImportRule
from registry.signature import Signature

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

    def touch(self, *, at: datetime) -> None:
        self.updated_at = at
        self.save(update_fields=["updated_at"])

    def describe(self, *, at: datetime, **changes: Any) -> None:
        """Change description, tags, metadata or unknown_columns."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.updated_at = at
        self.save(update_fields=[*changes, "updated_at"])

    def soft_delete(self, *, at: datetime) -> None:
        self.deleted_at = at
        self.save(update_fields=["deleted_at"])


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def latest_first(self) -> "ModelVersionQuerySet":
        return self.order_by("-number")

    def ready(self) -> "ModelVersionQuerySet":
        return self.filter(status__in=ModelVersion.SERVING)

    def waiting(self, *, at: datetime) -> "ModelVersionQuerySet":
        """Those whose admission has not begun, or whose worker died during it."""
        abandoned = Q(status="inspecting", seen_or_begun_at__lt=at - ModelVersion.LEASE)
        versions = self.alias(seen_or_begun_at=Coalesce("seen_at", "inspecting_since"))
        return versions.filter(Q(status="pending") | abandoned, model__deleted_at=None)

    def claim(self, pk: UUID, *, at: datetime) -> UUID | None:
        """Take one waiting version for inspection; None when another worker was first."""
        claim = uuid7()
        taken = self.waiting(at=at).filter(pk=pk)
        count = taken.update(
            status="inspecting",
            claim=claim,
            inspecting_since=at,
            seen_at=at,
            attempts=F("attempts") + 1,
        )
        return claim if count else None

    def twins_of(self, version: "ModelVersion") -> "ModelVersionQuerySet":
        """Admitted versions of the same bytes, sample and libraries, the newest first.

        Of the same organization only: how long an admission takes would tell everybody else
        that somebody has this file, and what one tenant's child said may not answer for another.
        """
        same = {name: getattr(version, name) for name in ModelVersion.DECIDES}
        theirs = self.ready().filter(model__organization_id=version.model.organization_id, **same)
        return theirs.exclude(checked_with={}).select_related("model").order_by("-ready_at")

    def renew(self, pk: UUID, *, claim: UUID, at: datetime) -> None:
        """Its worker is alive; nothing happens when it is another's by now."""
        self.filter(pk=pk, claim=claim).update(seen_at=at)


class ModelVersion(models.Model):
    """One uploaded artifact. Its bytes never change; a fix is a new version."""

    class Status(models.TextChoices):
        PENDING = "pending"
        INSPECTING = "inspecting"
        QUARANTINED = "quarantined"
        READY = "ready"
        REJECTED = "rejected"
        DEPRECATED = "deprecated"
        ARCHIVED = "archived"

    class Runtime(models.TextChoices):
        GRAPH = "graph", "compiled graph"
        ESTIMATOR = "estimator", "the model's own library"

    SERVING = (Status.READY, Status.DEPRECATED)
    ADMITTED = (*SERVING, Status.ARCHIVED)
    # Without a sign of life for so long, its worker is taken for dead (registry.heartbeat): long
    # enough for some lost beats, and for clocks of two machines that differ a little.
    LEASE = timedelta(seconds=30)
    MAX_ATTEMPTS = 3
    # What an admission depends on.
    DECIDES = ("digest", "sample_digest", "expected_column", "declared_format", "checked_with")
    # What lists leave out: a signature of a thousand columns is a thousand lines.
    LARGE = ("signature", "facts", "golden", "scan", "profile")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    format = models.CharField(max_length=20, default="sklearn")
    filename = models.CharField(max_length=255, blank=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the uploaded bytes")
    size = models.PositiveBigIntegerField(help_text="bytes")
    attempts = models.PositiveSmallIntegerField(default=0)
    claim = models.UUIDField(null=True, editable=False, help_text="whose inspection it is")
    inspecting_since = models.DateTimeField(null=True, blank=True, editable=False)
    seen_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="the last sign of life of its worker"
    )
    steps = models.JSONField(default=list, blank=True, help_text="of admission, with their times")
    scan = models.JSONField(default=dict, blank=True, help_text="what was told before opening it")
    reason_code = models.CharField(max_length=50, blank=True)
    reason = models.TextField(blank=True, help_text="why it was rejected, or what it waits for")
    released_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="from quarantine, by an operator"
    )
    signature = models.JSONField(null=True, blank=True)
    facts = models.JSONField(default=dict, blank=True)
    runtime = models.CharField(max_length=20, choices=Runtime, blank=True)
    graph_digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the graph")
    pinned = models.BooleanField(
        default=False, help_text="its owner wants the original to answer, graph or not"
    )
    parity = models.JSONField(default=dict, blank=True)
    golden = models.JSONField(default=dict, blank=True, help_text="one input and its outputs")
    declared_format = models.CharField(
        max_length=20, blank=True, help_text="what the uploader called it; the bytes decide"
    )
    sample_digest = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the sample table given at upload"
    )
    expected_column = models.CharField(
        max_length=300, blank=True, help_text="the sample's column with the expected answers"
    )
    checked_with = models.JSONField(
        default=dict, blank=True, help_text="versions of the libraries that admitted it"
    )
    profile = models.JSONField(
        default=dict, blank=True, help_text="ranges, missing rates, examples of the sample"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        ordering = ["model", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="version_number_is_unique"),
            models.CheckConstraint(
                condition=~Q(status__in=["ready", "deprecated"])
                | Q(ready_at__isnull=False, signature__isnull=False) & ~Q(runtime=""),
                name="serving_version_is_complete",
            ),
            models.CheckConstraint(
                condition=~Q(status="rejected") | ~Q(reason=""), name="rejection_has_a_reason"
            ),
            models.CheckConstraint(
                condition=~Q(runtime="graph") | ~Q(graph_digest=""), name="graph_has_a_digest"
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=["pending", "inspecting"]),
                name="version_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model.name} v{self.number}"

    @property
    def is_serving(self) -> bool:
        return self.status in self.SERVING

    @property
    def caching(self) -> Caching:
        """With the version's model loaded."""
        is_graph = self.runtime == self.Runtime.GRAPH
        return decide(self.model.caching, self.parity, is_graph=is_graph)

    @property
    def checked_signature(self) -> Signature:
        return Signature.from_json(self.signature)

    def mark_ready(
        self,
        *,
        signature: Signature,
        facts: dict[str, Any],
        graph_digest: str,
        parity: dict[str, Any],
        golden: dict[str, Any],
        at: datetime,
    ) -> None:
        """It answers from now on: from the graph when there is one. Raises ClaimLost."""
        self.status = self.Status.READY
        self.signature = signature.to_json()
        self.facts = facts
        self.runtime = self.Runtime.GRAPH if graph_digest else self.Runtime.ESTIMATOR
        self.graph_digest = graph_digest
        self.parity = parity
        self.golden = golden
        self.ready_at = at
        self.reason_code = self.reason = ""
        self._end("signature", "facts", "runtime", "graph_digest", "parity", "golden", "ready_at")

    def recognize(self, scan: dict[str, Any]) -> None:
        """What its bytes are, as a child found that had not opened them. Raises ClaimLost."""
        self.format = scan["format"]
        self.scan = scan
        self._write("format", "scan", claim=self.claim)

    def adopt(self, twin: "ModelVersion") -> None:
        """What was found in the same bytes and sample holds here as well. Raises ClaimLost."""
        self.format, self.scan, self.profile = twin.format, twin.scan, twin.profile
        self._write("format", "scan", "profile", claim=self.claim)

    def pin(self, pinned: bool) -> None:
        self.pinned = pinned
        self.save(update_fields=["pinned"])

    def retire(self, status: str) -> None:
        """To one of READY, DEPRECATED and ARCHIVED from another of them."""
        self.status = status
        self.save(update_fields=["status"])

    def recheck(self, libraries: dict[str, str]) -> None:
        """With these as well it answers as when it was admitted."""
        self.checked_with = libraries
        self.save(update_fields=["checked_with"])

    def write_steps(self) -> None:
        """How far admission is. Raises ClaimLost."""
        self._write("steps", claim=self.claim)

    def keep_profile(self, profile: dict[str, Any]) -> None:
        """What its sample says of inputs and expected answers. Raises ClaimLost."""
        self.profile = profile
        self._write("profile", claim=self.claim)

    def reject(self, *, code: str, reason: str, facts: dict[str, Any] | None = None) -> None:
        """Raises ClaimLost."""
        self.status = self.Status.REJECTED
        self.reason_code, self.reason = code, reason
        self.facts = facts or {}
        self._end("facts")

    def quarantine(self, *, code: str, reason: str) -> None:
        """Nothing opens it until an operator releases it. Raises ClaimLost."""
        self.status = self.Status.QUARANTINED
        self.reason_code, self.reason = code, reason
        self._end()

    def release(self, *, at: datetime) -> None:
        """Out of quarantine and back to the queue. Raises ClaimLost."""
        self.status = self.Status.PENDING
        self.attempts = 0
        self.released_at = at
        self.reason_code = self.reason = ""
        self._end("attempts", "released_at")

    def wait(self, *, code: str, reason: str) -> None:
        """Back to the queue through no fault of the file; the sweeper tries again.

        Raises ClaimLost.
        """
        self.status = self.Status.PENDING
        self.attempts = max(self.attempts - 1, 0)
        self.reason_code, self.reason = code, reason
        self._end("attempts")

    def _end(self, *fields: str) -> None:
        """The inspection is over, whatever came of it."""
        claim, self.claim = self.claim, None
        shared = ("status", "reason_code", "reason", "steps", "checked_with", "claim")
        self._write(*shared, *fields, claim=claim)

    def _write(self, *fields: str, claim: UUID | None) -> None:
        # A worker that was taken for dead may come back: the version is another's by then.
        mine = ModelVersion.objects.filter(pk=self.pk, claim=claim)
        if not mine.update(**{name: getattr(self, name) for name in fields}):
            raise ClaimLost


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
