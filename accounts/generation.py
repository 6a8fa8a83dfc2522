"""One number an organization: it grows with everything that changes who may do what or who answers.

What a web process remembers of an organization is true while Redis has the
number it was loaded with (`accounts.access` asks with every request). So a
revoked key or a promoted version holds at the next request of every process,
and nobody asks PostgreSQL meanwhile.

Numbers only grow: at least by one, and to the microseconds of the clock, so
that one restored from a backup does not repeat an old number.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import redis
from django.db import connection, transaction

from mlplatform.foundation.redis import attempt

if TYPE_CHECKING:
    from accounts.models import Organization, User

LIFETIME = timedelta(days=1)
# Before the commit it is announced for so long: a transaction that rolls back is forgotten then.
PENDING = timedelta(seconds=30)

_GROW = """
    UPDATE accounts_organization
    SET generation = GREATEST(
        generation + 1, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint
    )
    WHERE id IN (
        SELECT id FROM accounts_organization WHERE id {which} ORDER BY id FOR NO KEY UPDATE
    )
    RETURNING id, generation
"""
_OF_ONE = _GROW.format(which="= %s")
_OF_A_USER = _GROW.format(
    which="IN (SELECT organization_id FROM accounts_membership WHERE user_id = %s)"
)
_CHANGED_SINCE = "SELECT id, generation FROM accounts_organization WHERE generation >= %s"

# The largest wins: two announcements may overtake each other.
_ANNOUNCE = """
if tonumber(ARGV[1]) >= tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
"""


def key_of(organization_id: UUID) -> str:
    return f"generation:{organization_id}"


def bump(organization: "Organization") -> None:
    """Call it in the transaction that changes a key, a member, a limit, an alias or a model.

    It is announced at once, so that no request between the commit and the news
    is answered from memory, and again when the transaction has committed.
    """
    _grow(_OF_ONE, organization.pk)


def bump_for_user(user: "User") -> None:
    """The same for all organizations of a user whose password or account changes.

    To end a membership: `bump` its organization as well; whoever has left is no member of it.
    """
    _grow(_OF_A_USER, user.pk)


def republish_recent(*, at: datetime, within: timedelta = timedelta(minutes=2)) -> int:
    """Announce again what changed lately: Redis may have been away. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED_SINCE, [int((at - within).timestamp() * 1_000_000)])
        changed = cursor.fetchall()
    _announce(changed, lifetime=LIFETIME)
    return len(changed)


@transaction.atomic
def _grow(statement: str, pk: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [pk])
        grown = cursor.fetchall()
    _announce(grown, lifetime=PENDING)
    transaction.on_commit(partial(_announce, grown, lifetime=LIFETIME))


def _announce(generations: Iterable[tuple[UUID, int]], *, lifetime: timedelta) -> None:
    """Fails open: without Redis nothing remembered outlives ACCESS_STALE_SECONDS anyway."""

    def send(client: redis.Redis) -> bool:
        seconds = int(lifetime.total_seconds())
        for organization_id, number in generations:
            client.eval(_ANNOUNCE, 1, key_of(organization_id), number, seconds)
        return True

    attempt(send)
