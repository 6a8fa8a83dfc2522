"""What somebody says of themselves, and their password."""

from typing import Any
from zoneinfo import available_timezones

from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpRequest

from accounts import audit, generation, passwords
from accounts.models import User

# Not places: files of the database itself.
TIME_ZONES = tuple(sorted(available_timezones() - {"Factory", "localtime", "posixrules"}))


@transaction.atomic
def change_profile(user: User, **changes: Any) -> None:
    """`full_name`, `time_zone` (one of TIME_ZONES), `theme`: those that are given."""
    user.change_profile(**changes)
    generation.bump_for_user(user)
    _record(user, "account.profile_changed", fields=sorted(changes))


def is_own_password(request: HttpRequest, password: str, *, user: User) -> bool:
    """Asked as at the sign-in, so that who holds a session cannot guess without end."""
    found = authenticate(request, username=user.email, password=password)
    return found is not None and found.pk == user.pk


@transaction.atomic
def change_password(user: User, new: str) -> None:
    """Ends every session and token. Raises UnacceptablePassword."""
    passwords.check_strength(new, user=user)
    user.change_password(new)
    _record(user, "account.password_changed")


@transaction.atomic
def reset_password(user: User, new: str) -> None:
    """The same for who followed the link of a mail."""
    passwords.check_strength(new, user=user)
    user.change_password(new)
    _record(user, "account.password_reset")


def _record(user: User, verb: str, **detail: Any) -> None:
    audit.record(organization=None, by=user, verb=verb, target=user, detail=detail)
