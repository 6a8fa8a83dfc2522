"""Whether an address is somebody's: asked by mail, and demanded where the operator wants it."""

from allauth.account.models import EmailAddress
from django.conf import settings
from django.http import HttpRequest

from accounts.errors import EmailNotConfirmed
from accounts.models import User


def ask(user: User, *, request: HttpRequest) -> None:
    """Send the link to somebody who signed up without the page."""
    if settings.ACCOUNT_EMAIL_VERIFICATION != "none":
        address = EmailAddress.objects.get(user=user, email=user.email)
        address.send_confirmation(request, signup=True)


def demand(user: User) -> None:
    """For those who sign in without the page. Raises EmailNotConfirmed."""
    if settings.ACCOUNT_EMAIL_VERIFICATION != "mandatory":
        return
    if not EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists():
        raise EmailNotConfirmed(
            "Follow the link in the mail we sent you. Sign in on the page to have it sent again."
        )
