"""The row of a family of tokens. What issues, spends and revokes them is `accounts.families`."""

from datetime import datetime
from typing import Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone

from mlplatform.foundation.uuid7 import uuid7


class TokenFamilyQuerySet(models.QuerySet):
    def alive(self, *, at: datetime) -> Self:
        return self.filter(revoked_at__isnull=True, expires_at__gt=at)

    def ended(self, *, at: datetime) -> Self:
        """What nobody can use any more, nor misuse."""
        return self.filter(expires_at__lte=at)

    def rotate(
        self, pk: UUID, *, spent: str, following: str, at: datetime, until: datetime
    ) -> bool:
        """Let one refresh token follow the other; False if the other was spent before."""
        unspent = self.alive(at=at).filter(pk=pk, refresh_jti=spent)
        return bool(unspent.update(refresh_jti=following, expires_at=until))


class TokenFamily(models.Model):
    """All tokens that follow from one sign-in of a program. Of these one can be refreshed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="token_families"
    )
    refresh_jti = models.CharField(max_length=32, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = TokenFamilyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "token families"
        indexes = [models.Index(fields=["expires_at"], name="token_family_by_end")]

    def __str__(self) -> str:
        return f"tokens of {self.user}, since {self.created_at:%Y-%m-%d %H:%M}"
