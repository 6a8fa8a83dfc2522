"""How many rows an organization, and a key, may have predicted in a calendar month (UTC).

Counted in Redis by the gate. A counter that is missing begins with what the
prediction log has of the month; who keeps that log says how to count it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import InterfaceError, OperationalError

from accounts.errors import QuotaExceeded
from accounts.gate import Quota
from accounts.principals import Principal
from mlplatform.foundation.redis import attempt

KEPT = timedelta(days=40)

Count = Callable[[UUID, UUID | None, datetime], int]

_counters: list[Count] = []


def count_with(count: Count) -> None:
    """`count(organization id, key id or None for all of it, since)`: rows in the log."""
    _counters[:] = [count]


def of(principal: Principal, *, at: datetime) -> Sequence[Quota]:
    """The key's, then the organization's; of these the ones that are limited."""
    if principal.standing is None:
        return ()
    rows = (principal.key, principal.standing.organization)
    return [
        Quota(_key_of(row.pk, at), row.monthly_predictions)
        for row in rows
        if row is not None and row.monthly_predictions is not None
    ]


def seed(principal: Principal, quota: Quota, *, at: datetime) -> None:
    """Let its counter begin with the rows of this month's log.

    Without PostgreSQL it begins with none: a lost limit costs less than a lost prediction.
    """
    month = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    organization_id = principal.standing.organization.pk
    is_of_key = principal.key is not None and quota.key == _key_of(principal.key.pk, at)
    key_id = principal.key.pk if is_of_key else None
    try:
        used = sum(count(organization_id, key_id, month) for count in _counters)
    except (OperationalError, InterfaceError):
        return
    attempt(lambda redis: redis.set(quota.key, used, nx=True, ex=KEPT))


def exceeded(quota: Quota, *, at: datetime) -> QuotaExceeded:
    next_month = (at.astimezone(UTC).replace(day=1) + timedelta(days=32)).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return QuotaExceeded(
        f"{quota.limit:,} rows a month may be predicted here, and these would be more. "
        f"The next month begins on {next_month:%d %B}.",
        retry_after=int((next_month - at).total_seconds()),
    )


def _key_of(pk: UUID, at: datetime) -> str:
    return f"quota:{pk.hex}:{at.astimezone(UTC):%Y%m}"
