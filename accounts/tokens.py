"""Access and refresh tokens (JWT, HS256) on simplejwt and its blacklist.

simplejwt would keep the whole refresh token in the database, from where it
could be stolen, and rotates by look-then-write, so that one token may be spent
twice at once. Here the database holds ids only, and an index decides who spends.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self, TypeVar

from django.db import transaction
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.models import User

# Ours have about 350 characters.
MAX_LENGTH = 2048

AccessToken = tokens.AccessToken
T = TypeVar("T", bound=tokens.Token)


class RefreshToken(tokens.RefreshToken):
    @classmethod
    def for_user(cls, user: User) -> Self:
        """A new token, of which only the id is kept."""
        token = super(tokens.BlacklistMixin, cls).for_user(user)
        token.row()
        return token

    def check_blacklist(self) -> None:
        """Not when read: `spend` finds out, in the same step in which it spends."""

    def row(self) -> OutstandingToken:
        row, _ = OutstandingToken.objects.get_or_create(
            jti=self["jti"],
            defaults={
                "user_id": self["user_id"],
                "token": "",
                "created_at": self.current_time,
                "expires_at": datetime.fromtimestamp(self["exp"], tz=UTC),
            },
        )
        return row

    def spend(self) -> bool:
        """Blacklist it; False if somebody else did so first."""
        _, is_mine = BlacklistedToken.objects.get_or_create(token=self.row())
        return is_mine


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750's name of the scheme

    @property
    def expires_in(self) -> int:
        """Seconds until the access token expires."""
        return int(api_settings.ACCESS_TOKEN_LIFETIME.total_seconds())


def issue(user: User) -> Pair:
    """A first or next pair of tokens."""
    return Pair(access=str(AccessToken.for_user(user)), refresh=str(RefreshToken.for_user(user)))


@transaction.atomic
def refresh(raw: str) -> Pair:
    """Spend a refresh token for a new pair.

    Raises AuthenticationFailed if it is invalid, expired or spent, the user may
    not sign in any more, or the password has changed since.
    """
    token = _read(RefreshToken, raw, kind="refresh")
    user = User.objects.filter(pk=token["user_id"], is_active=True).first()
    if user is None or token.get("hash_password") != get_md5_hash_password(user.password):
        raise _refused("refresh")
    if not token.spend():
        raise _refused("refresh")
    return issue(user)


def revoke(raw: str) -> None:
    """Blacklist a refresh token; a spent one stays so.

    Raises AuthenticationFailed for what is no refresh token of ours, or has expired.
    """
    _read(RefreshToken, raw, kind="refresh").spend()


def read_access(raw: str) -> AccessToken:
    """Raises AuthenticationFailed for everything that is not a valid access token of ours."""
    return _read(AccessToken, raw, kind="access")


def _read(token_class: type[T], raw: str, *, kind: str) -> T:
    # The header is parsed before the signature is checked: nesting can exhaust the stack.
    if len(raw) > MAX_LENGTH or not raw.isascii():
        raise _refused(kind)
    try:
        return token_class(raw)
    except (TokenError, RecursionError) as error:
        raise _refused(kind) from error


def _refused(kind: str) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"The {kind} token is invalid, has expired or was revoked.", code="token_invalid"
    )
