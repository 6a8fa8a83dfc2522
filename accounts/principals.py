"""Who a credential stands for, and all that a request may ask about them, from one query."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings

from accounts import api_keys, families
from accounts.models import APIKey, Membership, User
from accounts.roles import capabilities_of
from accounts.tenancy import Standing, find_membership, standing_of_key


@dataclass(slots=True, eq=False)
class Principal:
    """Shared by the requests of a process: nobody changes the rows in here.

    `standing` is None for a person who is in no organization, or asked for one
    that is not theirs. `verified_at` is when it was last known to be true
    (`time.monotonic`).
    """

    user: User
    standing: Standing | None
    key: APIKey | None = None
    ends_at: datetime | None = None
    verified_at: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """Whose requests are counted together."""
        return f"k{self.key.pk.hex}" if self.key else f"u{self.user.pk.hex}"

    @property
    def rate_limit(self) -> int:
        """Requests a minute: a key's own limit only lowers its organization's."""
        limit = settings.RATE_LIMIT_PER_MINUTE
        if self.standing and self.standing.organization.rate_limit is not None:
            limit = self.standing.organization.rate_limit
        own = self.key.rate_limit if self.key else None
        return limit if own is None else min(own, limit)

    def has_ended(self, *, at: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= at

    def age(self) -> float:
        """Seconds since it was last known to be true."""
        return time.monotonic() - self.verified_at


def of_key(secret: str, *, at: datetime) -> Principal | None:
    """None for what is no active key. One query."""
    found = api_keys.find_key(secret, at=at)
    if found is None:
        return None
    key, ends_at = found
    return Principal(key.created_by, standing_of_key(key), key=key, ends_at=ends_at)


def of_person(user_id: UUID, *, asked: str | None, family: UUID | None = None) -> Principal | None:
    """None for whoever may not sign in, or whose family of tokens was revoked.

    `asked` is the organization they name, None for their home.
    """
    membership = find_membership(user_id, asked)
    user = membership.user if membership else User.objects.filter(pk=user_id).first()
    if user is None or not user.is_active:
        return None
    # Read last: whoever revokes a family later than this denies it in Redis after that.
    if family is not None and not families.is_alive(family):
        return None
    return Principal(user, membership and _standing(membership))


def _standing(membership: Membership) -> Standing:
    return Standing(membership.organization, membership.role, capabilities_of(membership.role))
