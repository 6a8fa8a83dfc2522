"""More people than alice, bob and charlie: one of each role."""

from django.utils.timezone import now

from accounts.models import Membership, Organization, User
from accounts.sign_up import register
from tests.conftest import PASSWORD


def with_role(organization: Organization, role: str, name: str = "dora") -> User:
    """A new user, in this organization only."""
    user = register(
        email=f"{name}@example.com", password=PASSWORD, full_name=name.title(), at=now()
    )
    user.memberships.all().delete()
    Membership.objects.create(user=user, organization=organization, role=role)
    return user
