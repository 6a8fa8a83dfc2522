"""The row of the audit log. What writes it is `accounts.audit`."""

from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.audit_verbs import sentence_for
from mlplatform.foundation.uuid7 import uuid7

if TYPE_CHECKING:
    from accounts.models import Organization, User


class AuditEventQuerySet(models.QuerySet):
    def for_organization(self, organization: "Organization") -> Self:
        return self.filter(organization=organization)

    def of_account(self, user: "User") -> Self:
        """What happened to somebody's account itself, in no organization."""
        mine = models.Q(actor=user) | models.Q(target_type="user", target_id=str(user.pk))
        return self.filter(mine, organization=None)

    def by_or_about(self, user: "User") -> Self:
        """What somebody did anywhere, and what was done to their account."""
        about = models.Q(target_type="user", target_id=str(user.pk))
        return self.filter(models.Q(actor=user) | about)

    def between(self, since: datetime | None, until: datetime | None) -> Self:
        """From `since` on, up to but without `until`."""
        events = self if since is None else self.filter(created_at__gte=since)
        return events if until is None else events.filter(created_at__lt=until)

    def matching(
        self,
        *,
        verb: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Self:
        """`actor` is a user's id, or part of how they were called: a name, an address."""
        events = self.between(since, until)
        events = events.filter(verb=verb) if verb else events
        return events.filter(_by(actor)) if actor else events

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")


def _by(actor: str) -> models.Q:
    try:
        return models.Q(actor=UUID(actor))
    except ValueError:
        return models.Q(actor_label__icontains=actor)


class AuditEvent(models.Model):
    """Who did what to which row, from where. Written once: a trigger refuses every change.

    The keys to organization and actor have no constraint in the database: an
    event outlives both, and nothing may be written into it when they go. So
    read the labels, not `organization` or `actor`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        "accounts.Organization",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        help_text="none: about an account",
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    actor_label = models.CharField(max_length=300)
    api_key = models.CharField(max_length=8, blank=True, help_text="prefix of the key used")
    verb = models.CharField(max_length=50)
    target_type = models.CharField(max_length=50, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    target_label = models.CharField(max_length=300)
    detail = models.JSONField(default=dict)
    ip = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="audit_newest_first"),
            models.Index(fields=["actor", "-created_at"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return self.sentence

    @property
    def sentence(self) -> str:
        """For people: "Alice promoted version 3 of iris to champion"."""
        facts = {**self.detail, "actor": self.actor_label, "target": self.target_label}
        return sentence_for(self.verb, facts)
