"""How a request says who sends it: an API key, an access token, or a browser's session.

Keys and tokens come as `Authorization: Bearer …`; a key also as `X-API-Key`,
or as the password of HTTP Basic with any user name. What is neither is left
to the next class, and what is meant to be one and is not valid is refused
with 401: a bad credential never becomes an anonymous request.
"""

import base64
from binascii import Error as NotBase64
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils.timezone import now
from rest_framework import authentication
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import access, api_keys, families, principals, tokens
from accounts.access import Visit
from accounts.models import APIKey, User
from accounts.principals import Principal
from accounts.tenancy import CHOICE, asked_by
from accounts.throttling import limit_address
from mlplatform.foundation import request_facts

CHALLENGE = 'Bearer realm="api"'


class APIKeyAuthentication(BaseAuthentication):
    """`request.user` becomes who made the key, `request.auth` the key."""

    def authenticate(self, request: Request) -> tuple[User, APIKey] | None:
        secret = _key_in(request)
        if secret is None:
            return None
        at = now()
        principal = _of_secret(request, secret, at=at)
        if principal is None:
            _count_stranger(request)
            raise AuthenticationFailed(
                "The API key is unknown, has expired or was revoked.", code="key_invalid"
            )
        _note_use(principal.key, at=at)
        return _signed_in(request, principal), principal.key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class BearerJWTAuthentication(BaseAuthentication):
    """`request.user` becomes the token's user, `request.auth` the token."""

    def authenticate(self, request: Request) -> tuple[User, tokens.AccessToken] | None:
        raw = bearer_in(request)
        if raw is None:
            return None
        try:
            token = tokens.read_access(raw)
            principal = _of_token(request, token)
        except AuthenticationFailed:
            _count_stranger(request)
            raise
        return _signed_in(request, principal), token

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class SessionAuthentication(authentication.SessionAuthentication):
    """A browser that signed in by the pages; where nobody did, the address is counted."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        found = super().authenticate(request)
        if found is None:
            _count_stranger(request)
            return None
        user_id, asked = found[0].pk, asked_by(request) or request._request.session.get(CHOICE)
        credential = ("person", user_id, None, asked)
        load = partial(principals.of_person, user_id, asked=asked)
        principal = _admitted(request, Visit(credential, load, at=now()))
        if principal is not None:
            _signed_in(request, principal)
        return found


def _of_secret(request: Request, secret: str, *, at: datetime) -> Principal | None:
    fingerprint = api_keys.fingerprint(secret)
    if fingerprint is None:
        return None
    load = partial(principals.of_key, secret, at=at)
    return _admitted(request, Visit(("key", fingerprint), load, at=at))


def _of_token(request: Request, token: tokens.AccessToken) -> Principal:
    user_id, family, asked = token.user_id, token.family, asked_by(request)
    credential = ("person", user_id, family, asked)
    load = partial(principals.of_person, user_id, asked=asked, family=family)
    visit = Visit(credential, load, at=now(), denial_key=families.denial_key(family))
    principal = _admitted(request, visit)
    if principal is None or not token.is_of_password(principal.user):
        raise AuthenticationFailed(
            "The access token is invalid, has expired or was revoked.", code="token_invalid"
        )
    return principal


def _signed_in(request: Request, principal: Principal) -> User:
    """The request gets a user row of its own: others share what is remembered."""
    request.principal = principal
    if principal.key is not None:
        request_facts.note_api_key(principal.key.prefix)
    elif principal.standing is not None:
        request._standing = principal.standing
    user = User.__new__(User)
    user.__dict__.update(principal.user.__dict__)
    return user


def authenticate_again(request: Request) -> None:
    """After `access.Outdated`: who sends the request, by what is true now."""
    request.__dict__.pop("_standing", None)
    request._authenticate()


def _admitted(request: Request, visit: Visit) -> Principal | None:
    view = request.parser_context.get("view")
    return access.admit(request, visit, later=getattr(view, "passes_gate_itself", False))


def _count_stranger(request: Request) -> None:
    """Raises RateLimited: who guesses keys is slowed down, too."""
    limit_address(request, "anonymous", limit=settings.ANONYMOUS_LIMIT_PER_MINUTE)


def _note_use(key: APIKey, *, at: datetime) -> None:
    try:
        key.mark_used(at=at, ip=request_facts.current().ip)
    except (OperationalError, InterfaceError):
        # When it was last used is worth less than the answer.
        pass


def _key_in(request: Request) -> str | None:
    given = request.headers.get("X-API-Key")
    if given is not None:
        return given.strip()
    for credential in (bearer_in(request), _basic_password_in(request)):
        if credential is not None and credential.startswith(api_keys.MARK):
            return credential
    return None


def bearer_in(request: Request) -> str | None:
    """What follows "Bearer"; None where another scheme, or none, is used."""
    return _credential_in(request, "bearer")


def _basic_password_in(request: Request) -> str | None:
    encoded = _credential_in(request, "basic")
    if encoded is None:
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (NotBase64, ValueError):
        return None


def _credential_in(request: Request, wanted: str) -> str | None:
    scheme, _, credential = request.headers.get("Authorization", "").strip().partition(" ")
    return credential.strip() if scheme.lower() == wanted else None
