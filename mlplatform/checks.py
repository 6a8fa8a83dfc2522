"""Refuses to start in a way that would harm whoever trusts the platform.

`manage.py` runs these checks before its commands, `manage.py check` tells them
alone; the web server and Celery, which run no checks, call `refuse_unsafe_start`.
"""

import sys
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

# What people leave standing when they copy an example.
_LEFT_STANDING = ("change-me", "changeme", "django-insecure-", "secret", "example", "placeholder")
_FEWEST_DIFFERENT_CHARACTERS = 8


@register(Tags.security)
def check_safety(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Errors where starting is refused, warnings where it is only unwise."""
    return [*_debug(), *_secrets(), *_hosts(), *_plain_http()]


def refuse_unsafe_start() -> None:
    """End the process with the errors of `check_safety`, if there are any."""
    errors = [message for message in check_safety() if message.is_serious()]
    if errors:
        told = "\n".join(f"  {error.id}: {error.msg} {error.hint}" for error in errors)
        sys.exit(f"The platform does not start like this:\n{told}")


def is_local(host: str) -> bool:
    """Whether only this machine is reached by this name."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def is_public(host: str) -> bool:
    """Whether people beyond one's own network could be meant by this name."""
    address = _address(host)
    if address is not None:
        return address.is_global
    return not is_local(host) and "." in host


def _debug() -> Iterator[CheckMessage]:
    if settings.DEBUG and not is_local(_site_host()):
        yield Error(
            f"DEBUG is on, and SITE_URL is {settings.SITE_URL}.",
            hint="Its error pages show settings and source: unset DEBUG.",
            id="mlplatform.E001",
        )


def _secrets() -> Iterator[CheckMessage]:
    for name in ("SECRET_KEY", "JWT_SIGNING_KEY"):
        if _is_guessable(getattr(settings, name)):
            yield Error(
                f"{name} can be guessed.",
                hint="Set it to what `openssl rand -hex 32` prints.",
                id="mlplatform.E002",
            )
    if settings.SECRET_KEY == settings.JWT_SIGNING_KEY:
        yield Error(
            "SECRET_KEY and JWT_SIGNING_KEY are equal.",
            hint="Who learns one must not have the other: make two.",
            id="mlplatform.E003",
        )


def _hosts() -> Iterator[CheckMessage]:
    if not _site_host() or not any(settings.ALLOWED_HOSTS):
        yield Error(
            "No host is allowed.",
            hint="Set SITE_URL to the address that people use.",
            id="mlplatform.E004",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS has *: links in mails could be made to lead anywhere.",
            hint="Name the hosts.",
            id="mlplatform.E005",
        )


def _plain_http() -> Iterator[CheckMessage]:
    is_plain = settings.SITE_URL.startswith("http://")
    if is_plain and is_public(_site_host()) and not settings.ALLOW_INSECURE_HTTP:
        yield Warning(
            f"SITE_URL is {settings.SITE_URL}: passwords and keys travel readable for anybody.",
            hint="Use https, or set ALLOW_INSECURE_HTTP=true if you know better.",
            id="mlplatform.W001",
        )


def _is_guessable(secret: str) -> bool:
    is_monotonous = len(set(secret)) < _FEWEST_DIFFERENT_CHARACTERS
    return is_monotonous or secret.lower().startswith(_LEFT_STANDING)


def _site_host() -> str:
    return urlsplit(settings.SITE_URL).hostname or ""


def _address(host: str) -> Any:
    try:
        return ip_address(host)
    except ValueError:
        return None
