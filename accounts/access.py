"""Letting a request in: who sends it, and whether it is within their limits.

Warm, this takes no SQL and one call of Redis. What is remembered holds while
Redis has the generation it was loaded with. Redis away: for up to
ACCESS_STALE_SECONDS, then it is loaded again; limits are kept by every process
for itself. PostgreSQL away: what is remembered goes on.
"""

from collections.abc import Callable, Hashable
from datetime import datetime
from time import monotonic

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from rest_framework.request import Request

from accounts import gate, generation, limits, quotas, snapshot
from accounts.gate import Answer, State
from accounts.limits import Verdict
from accounts.principals import Principal

Load = Callable[[], Principal | None]


def admit(
    request: HttpRequest | Request,
    credential: Hashable,
    load: Load,
    *,
    at: datetime,
    denial_key: str = "",
    predictions: int = 0,
) -> Principal | None:
    """Who the credential stands for; None: nobody, any more.

    `load` asks PostgreSQL for it. `predictions` are counted against the
    monthly quotas. Leaves the verdict for the answer's headers. Raises
    RateLimited or QuotaExceeded.
    """
    visit = _Visit(denial_key=denial_key, predictions=predictions, at=at)
    principal = snapshot.get(credential)
    answer = None
    if principal is not None and principal.has_ended(at=at):
        principal = None
    if principal is not None:
        answer = visit.ask(principal)
    if principal is None or _is_doubtful(principal, answer):
        principal, answer = _renewed(credential, load, principal, answer, visit)
    if principal is None or (answer is not None and answer.state is State.DENIED):
        snapshot.drop(credential)
        return None
    _enforce(request, principal, answer, visit)
    return principal


def reserve_predictions(request: HttpRequest | Request, rows: int, *, at: datetime) -> None:
    """Count this many more rows against the quotas of who sends the request.

    For requests of many rows: the first was counted when it was let in. Raises QuotaExceeded.
    """
    principal = getattr(request, "principal", None)
    if principal is not None:
        quotas.reserve(principal, rows, at=at)


class _Visit:
    """What is asked of the gate during one request."""

    def __init__(self, *, denial_key: str, predictions: int, at: datetime) -> None:
        self.denial_key = denial_key
        self.predictions = predictions
        self.at = at

    def ask(self, principal: Principal, *, is_fresh: bool = False) -> Answer | None:
        """None when Redis is away."""
        question = self._question(principal, is_fresh=is_fresh)
        answer = gate.ask(question)
        for _ in question.quotas:
            if answer is None or answer.state is not State.UNCOUNTED:
                break
            quotas.seed(principal, question.quotas[answer.quota], at=self.at)
            answer = gate.ask(question)
        return answer

    def _question(self, principal: Principal, *, is_fresh: bool) -> gate.Question:
        organization = principal.standing and principal.standing.organization
        return gate.Question(
            rate_key=limits.key_of(principal.name),
            rate_limit=principal.rate_limit,
            generation_key=generation.key_of(organization.pk) if organization else "",
            generation=organization.generation if organization else -1,
            is_fresh=is_fresh,
            denial_key=self.denial_key,
            quotas=quotas.of(principal, at=self.at) if self.predictions else (),
            predictions=self.predictions,
        )


def _is_doubtful(principal: Principal, answer: Answer | None) -> bool:
    if answer is None:
        return principal.age() > settings.ACCESS_STALE_SECONDS
    return answer.state in (State.STALE, State.FORGOTTEN)


def _renewed(
    credential: Hashable,
    load: Load,
    known: Principal | None,
    answer: Answer | None,
    visit: _Visit,
) -> tuple[Principal | None, Answer | None]:
    """From PostgreSQL. While that is away, what is not known to have changed goes on a while."""
    try:
        principal = load()
    except (OperationalError, InterfaceError):
        changed = answer is not None and answer.state is State.STALE
        if known is None or changed or known.age() > settings.ACCESS_STALE_SECONDS:
            raise
        return known, None
    if principal is None:
        return None, None
    if principal.standing is not None:
        # Without a standing nothing would tell when it changes.
        snapshot.put(credential, principal)
    return principal, visit.ask(principal, is_fresh=True)


def _enforce(
    request: HttpRequest | Request, principal: Principal, answer: Answer | None, visit: _Visit
) -> None:
    limit = principal.rate_limit
    if answer is None or answer.state is State.UNCOUNTED:
        # Redis is away, or PostgreSQL, with which a quota would begin.
        leave_verdict(request, limits.local.count(principal.name, limit=limit))
        return
    principal.verified_at = monotonic()
    leave_verdict(request, limits.verdict(limit=limit, used=answer.used))
    if answer.state is State.EXHAUSTED:
        raise quotas.exceeded(quotas.of(principal, at=visit.at)[answer.quota], at=visit.at)


def leave_verdict(request: HttpRequest | Request, verdict: Verdict) -> None:
    """For `accounts.throttling.RateLimitHeaders`. Raises RateLimited if it is a refusal."""
    getattr(request, "_request", request).rate_verdict = verdict
    verdict.enforce()
