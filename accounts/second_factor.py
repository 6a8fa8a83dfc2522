"""Codes of an authenticator app, recovery codes and passkeys, on django-allauth's rows."""

import base64
import secrets

from allauth.core import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts.errors import SecondFactorNeeded
from accounts.models import User


class SecondFactorAdapter(DefaultMFAAdapter):
    """The secrets of apps and recovery codes are encrypted: a stolen database opens nothing."""

    def encrypt(self, text: str) -> str:
        return _ciphers().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _ciphers().decrypt(encrypted_text).decode()
        except InvalidToken:
            # Of another SECRET_KEY: no code is right. Nothing that could be guessed, like "".
            return base64.b32encode(secrets.token_bytes(20)).decode()

    def _get_site_name(self) -> str:
        return "mlplatform"


def demand(user: User, *, code: str | None, request: HttpRequest) -> None:
    """For those who sign in without pages. Raises SecondFactorNeeded unless none is set up."""
    factors = Authenticator.objects.filter(user=user)
    if not factors.exists():
        return
    if not code:
        raise SecondFactorNeeded(
            "This account has a second factor: send its code, or a recovery code, as `code`."
        )
    if not ratelimit.consume(request, action="login_failed", key=f"mfa-auth-user-{user.pk}"):
        raise SecondFactorNeeded("Too many wrong codes. Wait some minutes, then try again.")
    typed = factors.exclude(type=Authenticator.Type.WEBAUTHN)
    if not any(factor.wrap().validate_code(code) for factor in typed):
        raise SecondFactorNeeded("The code is wrong, was used before, or has expired.")
    ratelimit.clear(request, action="login_failed", key=f"mfa-auth-user-{user.pk}")


def _ciphers() -> MultiFernet:
    """SECRET_KEY may be rotated: old ones still decrypt."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_key_from(secret)) for secret in keys])


def _key_from(secret: str) -> bytes:
    digest = salted_hmac("accounts.second_factor", "", secret=secret, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest)
