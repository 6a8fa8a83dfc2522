"""The row of a version: its admission by one worker at a time, and what became of it."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import DataError, models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from mlplatform.foundation.uuid7 import uuid7
from registry.caching import Caching, decide
from registry.errors import ClaimLost
from registry.signature import Signature

if TYPE_CHECKING:
    pass


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
    model = models.ForeignKey(
        "registry.RegisteredModel", on_delete=models.CASCADE, related_name="versions"
    )
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
        return decide(self.model.caching, self.parity, is_graph=self.is_graph)

    @property
    def is_graph(self) -> bool:
        """Whether the compiled graph answers: there is one, and its owner lets it."""
        return self.runtime == self.Runtime.GRAPH and not self.pinned

    @property
    def is_admitted(self) -> bool:
        """It has passed admission and may be pinned, archived and put back."""
        return self.status in self.ADMITTED

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
        try:
            self._write(*shared, *fields, claim=claim)
        except DataError:
            self.claim = claim  # nothing was written: whoever tells of that still has it
            raise

    def _write(self, *fields: str, claim: UUID | None) -> None:
        # A worker that was taken for dead may come back: the version is another's by then.
        mine = ModelVersion.objects.filter(pk=self.pk, claim=claim)
        if not mine.update(**{name: getattr(self, name) for name in fields}):
            raise ClaimLost
