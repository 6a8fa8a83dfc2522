"""Letting a request in: who sends it, and whether it is within their limits.

Warm, this takes no SQL and one call of Redis. What is remembered holds while
Redis has the generation it was loaded with. Redis away: for up to
ACCESS_STALE_SECONDS, then it is loaded again; limits are kept by every process
for itself. PostgreSQL away: what is remembered goes on.

Most requests pass the gate when they are authenticated. A view with
`passes_gate_itself` calls `enter` later, when it knows what else it wants of
Redis and how many rows it predicts; until then nothing of its answer may leave.
"""

from collections.abc import Callable, Hashable, Sequence
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


class Outdated(Exception):
    """The caller's organization has changed since the request began: begin again."""


class Visit:
    """One request at the gate. `load` asks PostgreSQL who the credential stands for."""

    def __init__(
        self, credential: Hashable, load: Load, *, at: datetime, denial_key: str = ""
    ) -> None:
        self.credential = credential
        self.load = load
        self.at = at
        self.denial_key = denial_key
        self.principal: Principal | None = None
        self.is_fresh = False

    def recognize(self) -> Principal | None:
        """Who the credential stands for, by memory or PostgreSQL; None: nobody, any more."""
        known = snapshot.get(self.credential)
        if known is not None and not known.has_ended(at=self.at):
            self.principal = known
            return known
        return self._load()

    def pass_gate(
        self, request: HttpRequest | Request, *, predictions: int = 0, wanted: Sequence[bytes] = ()
    ) -> Answer | None:
        """The gate's answer; None when Redis is away. Leaves the verdict for the answer's headers.

        `self.principal` is None afterwards if the credential stands for nobody any more.
        Raises RateLimited or QuotaExceeded.
        """
        ask = _Asking(self, predictions, wanted)
        answer = ask()
        if not self.is_fresh and _is_doubtful(self.principal, answer):
            answer = self._renew(answer, ask)
        if answer is not None and answer.state is State.DENIED:
            self.principal = None
        if self.principal is None:
            snapshot.drop(self.credential)
            return None
        self._enforce(request, answer)
        return answer

    def enter(
        self, request: HttpRequest | Request, *, predictions: int, wanted: Sequence[bytes]
    ) -> Answer | None:
        """`pass_gate` for a request that was recognized before. Raises Outdated as well.

        Then nothing has been counted, and this visit has the principal to begin anew with.
        """
        ask = _Asking(self, predictions, wanted)
        answer = ask()
        if not self.is_fresh and _is_doubtful(self.principal, answer):
            if self._reload(answer):
                raise Outdated
            answer = None
        if answer is not None and answer.state is State.DENIED:
            snapshot.drop(self.credential)
            raise Outdated
        self._enforce(request, answer)
        return answer

    def begin_anew(self, before: "Visit") -> Principal | None:
        """With what the gate had asked PostgreSQL for; whatever is remembered may be older."""
        self.principal, self.is_fresh = before.principal, True
        return self.principal

    def _load(self) -> Principal | None:
        self.principal, self.is_fresh = self.load(), True
        if self.principal is None or self.principal.standing is None:
            # Without a standing nothing would tell when it changes.
            snapshot.drop(self.credential)
        else:
            snapshot.put(self.credential, self.principal)
        return self.principal

    def _renew(self, answer: Answer | None, ask: Callable[[], Answer | None]) -> Answer | None:
        return self.principal and ask() if self._reload(answer) else None

    def _reload(self, answer: Answer | None) -> bool:
        """False while PostgreSQL is away: what is not known to have changed goes on a while."""
        known = self.principal
        try:
            self._load()
        except (OperationalError, InterfaceError):
            changed = answer is not None and answer.state is State.STALE
            if changed or known.age() > settings.ACCESS_STALE_SECONDS:
                raise
            return False
        return True

    def _enforce(self, request: HttpRequest | Request, answer: Answer | None) -> None:
        principal = self.principal
        limit = principal.rate_limit
        if answer is None or answer.state is State.UNCOUNTED:
            # Redis is away, or PostgreSQL, with which a quota would begin.
            leave_verdict(request, limits.local.count(principal.name, limit=limit))
            return
        principal.verified_at = monotonic()
        leave_verdict(request, limits.verdict(limit=limit, used=answer.used))
        if answer.state is State.EXHAUSTED:
            raise quotas.exceeded(quotas.of(principal, at=self.at)[answer.quota], at=self.at)


class _Asking:
    """Asks the gate for a visit's principal; a quota without a counter gets one first."""

    def __init__(
        self,
        visit: Visit,
        predictions: int,
        wanted: Sequence[bytes],
        *,
        asks_again: bool = False,
    ) -> None:
        self.visit = visit
        self.predictions = predictions
        self.wanted = wanted
        self.asks_again = asks_again

    def __call__(self) -> Answer | None:
        """None when Redis is away."""
        principal, at = self.visit.principal, self.visit.at
        question = self._question(principal)
        answer = gate.ask(question)
        for _ in question.quotas:
            if answer is None or answer.state is not State.UNCOUNTED:
                break
            quotas.seed(principal, question.quotas[answer.quota], at=at)
            answer = gate.ask(question)
        return answer

    def _question(self, principal: Principal) -> gate.Question:
        organization = principal.standing and principal.standing.organization
        return gate.Question(
            rate_key=limits.key_of(principal.name),
            rate_limit=principal.rate_limit,
            generation_key=generation.key_of(organization.pk) if organization else "",
            generation=organization.generation if organization else -1,
            is_fresh=self.visit.is_fresh,
            denial_key=self.visit.denial_key,
            quotas=quotas.of(principal, at=self.visit.at) if self.predictions else (),
            predictions=self.predictions,
            wanted=self.wanted,
            asks_again=self.asks_again,
        )


def admit(request: HttpRequest | Request, visit: Visit, *, later: bool = False) -> Principal | None:
    """Who sends the request; None: nobody, any more. `later` leaves the gate to `enter`.

    Raises RateLimited.
    """
    if later:
        return _recognized_once(getattr(request, "_request", request), visit)
    if visit.recognize() is not None:
        visit.pass_gate(request)
    return visit.principal


def _recognized_once(request: HttpRequest, visit: Visit) -> Principal | None:
    before: Visit | None = getattr(request, "visit", None)
    request.visit = visit
    if before is not None and before.is_fresh and before.credential == visit.credential:
        return visit.begin_anew(before)
    return visit.recognize()


def enter(
    request: Request, *, predictions: int = 0, wanted: Sequence[bytes] = ()
) -> Sequence[bytes | None] | None:
    """The values of the wanted keys, once the request has passed; None when Redis is away.

    `predictions` are counted against the monthly quotas, all or none. Raises RateLimited,
    QuotaExceeded, or Outdated: then nothing has been counted; authenticate again
    (`accounts.authentication.authenticate_again`) and begin anew.
    """
    visit: Visit | None = getattr(request._request, "visit", None)
    if visit is None or visit.principal is None:
        return ()  # nobody: the view refuses
    answer = visit.enter(request, predictions=predictions, wanted=wanted)
    return answer and answer.found


def pass_warm(
    principal: Principal,
    *,
    denial_key: str,
    predictions: int,
    wanted: Sequence[bytes],
    at: datetime,
) -> Answer | None:
    """The gate's answer where it lets a remembered principal pass.

    None: ask the long way, which finds out why not. Nothing but a request over its limit has
    been counted then.
    """
    visit = Visit(None, _nobody, at=at, denial_key=denial_key)
    visit.principal = principal
    answer = _Asking(visit, predictions, wanted, asks_again=True)()
    if answer is None or answer.state is not State.PASSED:
        return None
    verdict = limits.verdict(limit=principal.rate_limit, used=answer.used)
    if verdict.used > verdict.limit:
        return None
    principal.verified_at = monotonic()
    return answer


def _nobody() -> None:
    return None


def _is_doubtful(principal: Principal, answer: Answer | None) -> bool:
    if answer is None:
        return principal.age() > settings.ACCESS_STALE_SECONDS
    return answer.state in (State.STALE, State.FORGOTTEN)


def leave_verdict(request: HttpRequest | Request, verdict: Verdict) -> None:
    """For `accounts.throttling.RateLimitHeaders`. Raises RateLimited if it is a refusal."""
    getattr(request, "_request", request).rate_verdict = verdict
    verdict.enforce()
