"""Making and naming organizations."""

import secrets
from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.utils.text import slugify

from accounts import audit, generation
from accounts.errors import TooMany
from accounts.members import lock
from accounts.models import Organization, User
from accounts.roles import Role

# Of one person: more would be somebody filling the database.
MOST_OWNED = 20


@transaction.atomic
def create(*, name: str, by: User, at: datetime) -> Organization:
    """Another organization, owned by `by`. Raises TooMany."""
    # Two at once are counted one after the other.
    User.objects.select_for_update(no_key=True).get(pk=by.pk)
    if by.memberships.filter(role=Role.OWNER).count() >= MOST_OWNED:
        raise TooMany(f"You own {MOST_OWNED} organizations already. Leave one first.")
    for slug in _slugs(name):
        organization, is_new = Organization.objects.get_or_create(
            slug=slug, defaults={"name": name, "created_at": at}
        )
        if is_new:
            break
    organization.memberships.create(user=by, role=Role.OWNER, created_at=at)
    audit.record(organization=organization, by=by, verb="organization.created", target=organization)
    return organization


@transaction.atomic
def rename(organization: Organization, *, name: str, by: User) -> Organization:
    """The slug stays: programs name the organization by it."""
    # Not the caller's row, which other requests may share.
    organization = lock(organization)
    old = organization.name
    if old == name:
        return organization
    organization.rename(name)
    audit.record(
        organization=organization,
        by=by,
        verb="organization.renamed",
        target=organization,
        detail={"old": old, "new": name},
    )
    generation.bump(organization)
    return organization


def _slugs(name: str) -> Iterator[str]:
    """ "acme", then "acme-3f9c2a" and so on until one is free."""
    wanted = slugify(name.replace("_", "-"))[:50].strip("-") or "organization"
    yield wanted
    while True:
        yield f"{wanted}-{secrets.token_hex(3)}"
