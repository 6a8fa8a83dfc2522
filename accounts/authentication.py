"""How a request says who sends it: an API key or an access token.

Both come as `Authorization: Bearer …`; a key also as `X-API-Key`. What is
neither is left to the next class, and what is meant to be one and is not valid
is refused with 401: a bad credential never becomes an anonymous request.
"""

from django.utils.timezone import now
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts import api_keys, tokens
from accounts.models import APIKey, User
from mlplatform.foundation import request_facts

CHALLENGE = 'Bearer realm="api"'


class APIKeyAuthentication(BaseAuthentication):
    """`request.user` becomes who made the key, `request.auth` the key."""

    def authenticate(self, request: Request) -> tuple[User, APIKey] | None:
        secret = _key_in(request)
        if secret is None:
            return None
        at = now()
        key = api_keys.find_key(secret, at=at)
        if key is None:
            raise AuthenticationFailed(
                "The API key is unknown, has expired or was revoked.", code="key_invalid"
            )
        key.mark_used(at=at)
        request_facts.note_api_key(key.prefix)
        return key.created_by, key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class BearerJWTAuthentication(JWTAuthentication):
    """`request.user` becomes the token's user, `request.auth` the token."""

    def authenticate(self, request: Request) -> tuple[User, tokens.AccessToken] | None:
        raw = _bearer_in(request)
        if raw is None:
            return None
        token = tokens.read_access(raw)
        return self.get_user(token), token

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def _key_in(request: Request) -> str | None:
    given = request.headers.get("X-API-Key")
    if given is not None:
        return given.strip()
    bearer = _bearer_in(request)
    return bearer if bearer is not None and bearer.startswith(api_keys.MARK) else None


def _bearer_in(request: Request) -> str | None:
    """What follows "Bearer"; None where another scheme, or none, is used."""
    scheme, _, credential = request.headers.get("Authorization", "").strip().partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None
