"""The row of an invitation. What makes, mails and accepts it is `accounts.invitations`."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts import emails
from accounts.roles import Role
from mlplatform.foundation.uuid7 import uuid7

if TYPE_CHECKING:
    from accounts.models import Organization


class InvitationQuerySet(models.QuerySet):
    def for_organization(self, organization: "Organization") -> Self:
        return self.filter(organization=organization)

    def pending(self, *, at: datetime) -> Self:
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=at)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def revoke(self, *, at: datetime) -> int:
        """Their links are void from now on. Returns how many there were."""
        return self.filter(accepted_at=None, revoked_at=None).update(revoked_at=at)


class Invitation(models.Model):
    """Asks who has an address to join. The link is in their mail only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="invitations"
    )
    email = models.EmailField("e-mail address", max_length=emails.MAX_LENGTH)
    role = models.CharField(max_length=20, choices=Role)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True, editable=False)
    accepted_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="one_open_invitation_per_address",
            ),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="invitation_role_is_known"
            ),
            models.CheckConstraint(
                condition=Q(accepted_at=None) | Q(revoked_at=None),
                name="invitation_is_accepted_or_revoked",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def is_open(self, *, at: datetime) -> bool:
        return self.accepted_at is None and self.revoked_at is None and at < self.expires_at

    def mark_mailed(self, *, at: datetime) -> None:
        self.mailed_at = at
        self.save(update_fields=["mailed_at"])

    def mark_accepted(self, *, at: datetime) -> None:
        self.accepted_at = at
        self.save(update_fields=["accepted_at"])
