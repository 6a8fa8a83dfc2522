"""Links that sign somebody in, once, within a day: what the console shows after the start."""

from datetime import datetime, timedelta
from urllib.parse import urljoin

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.encoding import force_str
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from accounts.models import User

VALID_FOR = timedelta(days=1)


def make_link(user: User) -> str:
    """The absolute URL. Signing in by whichever way, or a new password, makes it void."""
    parts = {
        "uidb64": urlsafe_base64_encode(str(user.pk).encode()),
        "token": _signer_for(user).sign("in"),
    }
    return urljoin(settings.SITE_URL, reverse("login-link", kwargs=parts))


def redeem(uidb64: str, token: str, *, at: datetime) -> User | None:
    """The user to sign in; None if the link is forged, old, or was used before."""
    user = _user_in(uidb64)
    if user is None or not _is_of(user, token):
        return None
    # The row decides, not the look above: of two clicks at once, one gets in.
    unused = User.objects.filter(pk=user.pk, is_active=True).last_seen(user.last_login)
    return user if unused.update(last_login=at) else None


def _user_in(uidb64: str) -> User | None:
    try:
        return User.objects.get(pk=force_str(urlsafe_base64_decode(uidb64)))
    except (ValueError, ValidationError, User.DoesNotExist):
        return None


def _is_of(user: User, token: str) -> bool:
    try:
        return _signer_for(user).unsign(token, max_age=VALID_FOR) == "in"
    except signing.BadSignature:
        return False


def _signer_for(user: User) -> signing.TimestampSigner:
    # What changes when a link is used, or must not be used any more, is part of the key.
    last_login = user.last_login.isoformat() if user.last_login else "never"
    state = f"{user.pk} {last_login} {user.get_session_auth_hash()}"
    return signing.TimestampSigner(salt=f"accounts.login_links {state}")
