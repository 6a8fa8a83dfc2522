"""Becoming a user."""

import secrets
from collections.abc import Iterator
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from accounts import audit, passwords
from accounts.emails import canonical_email
from accounts.errors import EmailTaken
from accounts.models import Organization, User
from accounts.roles import Role


@transaction.atomic
def register(*, email: str, password: str, full_name: str = "", at: datetime) -> User:
    """A new user with a personal organization of their own.

    Raises UnacceptablePassword or EmailTaken; then nothing is stored.
    """
    email = canonical_email(email)
    passwords.check_strength(password, user=User(email=email, full_name=full_name))
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, full_name=full_name, created_at=at)
    except IntegrityError as clash:
        # The index decides, not a look beforehand: two may sign up at once.
        raise EmailTaken(
            f"Somebody has signed up as {email} already. Sign in, or use another address.",
            errors=[{"pointer": "/email", "code": "email_taken", "detail": "Already in use."}],
        ) from clash
    EmailAddress.objects.create(user=user, email=email, primary=True)
    home = give_personal_organization(user, at=at)
    audit.record(organization=home, by=user, verb="account.signed_up", target=user)
    return user


def give_personal_organization(user: User, *, at: datetime) -> Organization:
    """The organization everybody starts in, as its owner."""
    for slug in _slugs(user.email):
        organization, is_new = Organization.objects.get_or_create(
            slug=slug,
            defaults={"name": user.get_full_name()[:150], "is_personal": True, "created_at": at},
        )
        if is_new:
            break
    organization.memberships.create(user=user, role=Role.OWNER, created_at=at)
    return organization


def _slugs(email: str) -> Iterator[str]:
    """ "alice", then "alice-3f9c2a" and so on until one is free."""
    wanted = slugify(email.partition("@")[0].replace("_", "-"))[:50].strip("-") or "user"
    yield wanted
    while True:
        yield f"{wanted}-{secrets.token_hex(3)}"
