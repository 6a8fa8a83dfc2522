"""The refresh token of a browser's program, where no script can read it.

Sent to `/api/v1/auth/refresh` only, over https only (where the platform has
it), and never from another site's page. Logging out names the family by the
access token instead.
"""

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from rest_framework.request import Request
from rest_framework_simplejwt.settings import api_settings

from accounts.errors import ForeignOrigin


def read(request: Request) -> str | None:
    """None where there is none. Raises ForeignOrigin unless our own page sends it."""
    token = request.COOKIES.get(_name())
    if token and request.headers.get("Origin") not in settings.CSRF_TRUSTED_ORIGINS:
        # SameSite keeps other sites out; this, pages of other hosts on the same site.
        raise ForeignOrigin(
            f"The cookie counts only from a page of {settings.SITE_URL}: the header Origin "
            "must say so."
        )
    return token or None


def write(response: HttpResponse, token: str) -> None:
    response.set_cookie(
        _name(),
        token,
        max_age=int(api_settings.REFRESH_TOKEN_LIFETIME.total_seconds()),
        path=reverse("api-refresh"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def remove(response: HttpResponse) -> None:
    response.set_cookie(
        _name(),
        "",
        max_age=0,
        path=reverse("api-refresh"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def _name() -> str:
    # Browsers take a cookie named so over https only.
    return "__Secure-refresh" if settings.SESSION_COOKIE_SECURE else "refresh"
