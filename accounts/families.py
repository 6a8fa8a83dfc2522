"""Families of tokens: everything that follows from one sign-in of a program.

A refresh token is spent once, for its successor. One that comes a second time
was stolen, or its successor was: the whole family ends, access tokens too.
"""

from datetime import datetime
from uuid import UUID

from django.utils.timezone import now
from rest_framework_simplejwt.settings import api_settings

from accounts import generation
from accounts.models import TokenFamily, User
from mlplatform.foundation.redis import attempt


def denial_key(family_id: UUID) -> str:
    """There while access tokens of a revoked family would still be valid."""
    return f"denied:{family_id.hex}"


def is_alive(family_id: UUID) -> bool:
    return TokenFamily.objects.alive(at=now()).filter(pk=family_id).exists()


def revoke(family: TokenFamily, *, at: datetime) -> None:
    """End it at once; a second time changes nothing."""
    if TokenFamily.objects.alive(at=at).filter(pk=family.pk).update(revoked_at=at):
        _deny(family)


def revoke_all(user: User, *, at: datetime) -> int:
    """Sign the user's programs out everywhere. Returns how many there were."""
    ended = TokenFamily.objects.alive(at=at).filter(user=user).update(revoked_at=at)
    generation.bump_for_user(user)
    return ended


def _deny(family: TokenFamily) -> None:
    lifetime = int(api_settings.ACCESS_TOKEN_LIFETIME.total_seconds())
    key = denial_key(family.pk)
    if attempt(lambda client: client.set(key, 1, ex=lifetime)) is None:
        # What processes remember is asked for again when Redis is back: the row says no then.
        generation.bump_for_user(family.user)
