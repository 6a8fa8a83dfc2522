"""What operators do to other people's accounts."""

from allauth.account.internal.flows.password_reset import request_password_reset
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.http import HttpRequest
from django.utils.timezone import now

from accounts import audit, families
from accounts.models import User


@transaction.atomic
def deactivate(user: User, *, by: User) -> None:
    """Sessions, tokens and keys end at once. A second time changes nothing."""
    if user.is_active:
        user.deactivate()
        families.revoke_all(user, at=now())
        for session in UserSession.objects.filter(user=user):
            session.end()
        audit.record(organization=None, by=by, verb="account.deactivated", target=user)


@transaction.atomic
def reactivate(user: User, *, by: User) -> None:
    """With the password, the keys and the organizations of before."""
    if not user.is_active:
        user.reactivate()
        audit.record(organization=None, by=by, verb="account.reactivated", target=user)


def demand_new_password(user: User, *, by: User, request: HttpRequest) -> None:
    """Void the password, sign the user out everywhere and mail a link to choose another.

    Raises MailUnavailable; the old password is void then as well.
    """
    with transaction.atomic():
        user.void_password()
        audit.record(organization=None, by=by, verb="account.password_voided", target=user)
    request_password_reset(request, user.email, [user], token_generator=None)
