"""Access and refresh tokens (JWT, HS256) on simplejwt.

simplejwt would keep the whole refresh token in the database, from where it
could be stolen, rotates by look-then-write, so that one token may be spent
twice at once, and knows no families. Here the database holds ids only, and
one UPDATE decides who spends (`accounts.families`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.utils.timezone import now
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts import audit, families
from accounts.models import TokenFamily, User

# Ours have about 400 characters.
MAX_LENGTH = 2048

FAMILY = "family"


class RotatedBackend(TokenBackend):
    """Signs by the newest key, and accepts those before it as well."""

    def decode(self, token: str, verify: bool = True) -> dict[str, Any]:
        try:
            return super().decode(token, verify)
        except TokenBackendError:
            for key in settings.JWT_SIGNING_KEY_PREVIOUS:
                try:
                    return TokenBackend(self.algorithm, key).decode(token, verify)
                except TokenBackendError:
                    continue
            raise


@lru_cache(maxsize=2)
def _backend(signing_key: str) -> RotatedBackend:
    return RotatedBackend("HS256", signing_key)


class _Signed(tokens.Token):
    def get_token_backend(self) -> RotatedBackend:
        return _backend(settings.JWT_SIGNING_KEY)

    @property
    def token_backend(self) -> RotatedBackend:
        return self.get_token_backend()

    @property
    def user_id(self) -> UUID:
        return _uuid(self.get("user_id"))

    @property
    def family(self) -> UUID:
        return _uuid(self.get(FAMILY))

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self["exp"], tz=UTC)

    def is_of_password(self, user: User) -> bool:
        """False since the user has taken a new one."""
        return self.get("hash_password") == get_md5_hash_password(user.password)


class AccessToken(_Signed, tokens.AccessToken):
    pass


class RefreshToken(_Signed):
    token_type = "refresh"  # noqa: S105 - the name of a kind
    lifetime = api_settings.REFRESH_TOKEN_LIFETIME


T = TypeVar("T", bound=_Signed)


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
    """The first pair of a new family."""
    refresh = RefreshToken.for_user(user)
    family = TokenFamily.objects.create(
        user=user, refresh_jti=refresh["jti"], expires_at=refresh.expires_at
    )
    return _pair(user, refresh, family.pk)


def refresh(raw: str) -> Pair:
    """Spend a refresh token for the next pair of its family.

    Raises AuthenticationFailed if it is invalid, expired or spent (then the
    whole family ends: it is in two hands), the user may not sign in any more,
    or the password has changed since.
    """
    token = _read(RefreshToken, raw)
    at = now()
    user = User.objects.filter(pk=token.user_id, is_active=True).first()
    if user is None or not token.is_of_password(user):
        raise _refused("refresh")
    following = RefreshToken.for_user(user)
    is_spent_now = TokenFamily.objects.rotate(
        token.family,
        spent=token["jti"],
        following=following["jti"],
        at=at,
        until=following.expires_at,
    )
    if not is_spent_now:
        _end_reused(token, at=at)
        raise _refused("refresh")
    return _pair(user, following, token.family)


def revoke(raw: str) -> None:
    """End the family of a refresh or an access token, also by one that is spent.

    Raises AuthenticationFailed for what is no token of ours, or has expired.
    """
    token = _read_either(raw)
    family = TokenFamily.objects.filter(pk=token.family).select_related("user").first()
    if family is not None:
        families.revoke(family, at=now())


def read_access(raw: str) -> AccessToken:
    """Raises AuthenticationFailed for everything that is not a valid access token of ours."""
    return _read(AccessToken, raw)


def _end_reused(token: RefreshToken, *, at: datetime) -> None:
    family = TokenFamily.objects.alive(at=at).filter(pk=token.family).select_related("user").first()
    if family is not None:
        families.revoke(family, at=at)
        user = family.user
        audit.record(organization=None, by=None, verb="account.token_reused", target=user)


def _pair(user: User, refresh: RefreshToken, family_id: UUID) -> Pair:
    access = AccessToken.for_user(user)
    access[FAMILY] = refresh[FAMILY] = family_id.hex
    return Pair(access=str(access), refresh=str(refresh))


def _read_either(raw: str) -> _Signed:
    try:
        return _read(RefreshToken, raw)
    except AuthenticationFailed:
        return _read(AccessToken, raw)


def _read(token_class: type[T], raw: str) -> T:
    # The header is parsed before the signature is checked: nesting can exhaust the stack.
    if len(raw) > MAX_LENGTH or not raw.isascii():
        raise _refused(token_class.token_type)
    try:
        token = token_class(raw)
        _, _ = token.user_id, token.family
    except (TokenError, RecursionError, ValueError) as error:
        raise _refused(token_class.token_type) from error
    return token


def _uuid(claim: Any) -> UUID:
    """Raises ValueError."""
    return UUID(claim if isinstance(claim, str) else "")


def _refused(kind: str) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"The {kind} token is invalid, has expired or was revoked.", code="token_invalid"
    )
