"""Asking the sandboxed hosts, which hold the models; and asking again where that is no repetition.

A request is asked again at once when its host has gone for reasons of its own (evicted,
replaced, ended by what another caller sent), and once more when the host died of a request:
for a graph in a host of that version alone, so that whoever else was there is not there the
next time. Rows that it dies of then are told.
"""

from collections.abc import Sequence
from time import monotonic, sleep
from typing import Any

from django.conf import settings

from inference import errors
from inference.connections import connection, pool
from inference.loading import loaded_and
from registry import sandbox_errors as sandbox
from registry.rows import Rows
from registry.sandbox import Host
from registry.serving import Served

PAUSE_SECONDS = 0.05
MAX_BUSY = 3  # times to be told that there is no room
# For a runner to start again. After it, requests fail at once until it answers.
PATIENCE_SECONDS = 12.0
# As long a graph that was there when its host died has a host of its own.
SUSPECT_SECONDS = 300.0
MAX_REMEMBERED = 1000

Outputs = dict[str, Any]

_suspects: dict[str, float] = {}  # digest: until
_answered: dict[int, float] = {}  # child: when it last answered anybody here
_silent_since: float | None = None  # the runner


def predict(served: Served, rows: Rows, methods: Sequence[str]) -> Outputs:
    """What the model answers to `rows`, by method.

    Loads the model into its host when that does not hold it. Raises
    ModelRaised, ModelTimedOut, ModelCrashed, ModelParked, ModelNotLoadable,
    ModelChanged, RunnerUnavailable or BadReply (of inference.errors), or what
    `registry.artifacts.open_artifact` raises.
    """
    try:
        return _Asking(served, rows, methods).answer()
    except sandbox.SandboxError as error:
        raise _problem(error) from error


class _Asking:
    """One request, asked until it is answered, refused or out of time."""

    def __init__(self, served: Served, rows: Rows, methods: Sequence[str]) -> None:
        self._served = served
        self._rows = rows
        self._methods = methods
        self._until = monotonic() + settings.PREDICT_DEADLINE_SECONDS
        self._key = served.host_key
        if _suspects and _suspects.get(served.served_digest, 0.0) > monotonic():
            self._key = _own_key(served)
        self._deaths = 0
        self._busy = 0

    def answer(self) -> Outputs:
        while True:
            try:
                return self._ask()
            except sandbox.NotLoaded:
                pass  # others' models have taken its place since it was loaded
            except sandbox.ChildDied as error:
                self._count_death(error)
            except sandbox.RunnerUnavailable as error:
                self._count_refusal(error)
            if self._left() <= 0:
                raise sandbox.ChildTimedOut("The model's process was not there in time.")

    def _ask(self) -> Outputs:
        host = connection(self._key, kind=self._served.host_kind)
        _runner_answers()
        try:
            outputs = self._ask_host(host)
        except (sandbox.ModelRaised, sandbox.ModelRefused, sandbox.NotLoaded, errors.ModelChanged):
            pool.give_back(self._key, host)
            raise
        except sandbox.ChildDied:
            pool.forget(self._key, child=host.child)
            host.close()
            raise
        except BaseException:
            host.close()
            raise
        pool.give_back(self._key, host)
        return outputs

    def _ask_host(self, host: Host) -> Outputs:
        try:
            return self._exchange(host)
        except sandbox.NotLoaded:
            return loaded_and(lambda: self._anew(host), host, self._served)

    def _anew(self, host: Host) -> Outputs:
        # The time that loading takes is not the request's.
        self._until = monotonic() + settings.PREDICT_DEADLINE_SECONDS
        return self._exchange(host)

    def _exchange(self, host: Host) -> Outputs:
        asked = monotonic()
        try:
            outputs = host.predict(
                self._served.served_digest,
                self._rows,
                self._methods,
                deadline=self._left(),
                kill_late=False,
            )
        except sandbox.ChildTimedOut:
            if not _has_lived_since(host.child, (asked + monotonic()) / 2):
                host.end("late")
            raise
        _remember(_answered, host.child, monotonic())
        return outputs

    def _left(self) -> float:
        return self._until - monotonic()

    def _count_death(self, error: sandbox.ChildDied) -> None:
        """Raises it when the request has been given its second chance."""
        if error.code != sandbox.ChildDied.code:
            return
        self._deaths += 1
        if self._deaths == 2:
            raise error
        self._suspect()

    def _suspect(self) -> None:
        if self._served.host_kind == "graph":
            until = monotonic() + SUSPECT_SECONDS
            _remember(_suspects, self._served.served_digest, until)
            self._key = _own_key(self._served)

    def _count_refusal(self, error: sandbox.RunnerUnavailable) -> None:
        """Wait a moment; raises it when waiting has no use."""
        if isinstance(error, sandbox.Parked):
            if self._key == _own_key(self._served) or self._served.host_kind != "graph":
                raise error
            self._suspect()
        elif error.code == "busy":
            self._busy += 1
            if self._busy > MAX_BUSY:
                raise error
        elif error.code != sandbox.RunnerUnavailable.code or not _is_worth_waiting():
            raise error
        if self._left() <= PAUSE_SECONDS:
            raise error
        sleep(PAUSE_SECONDS)


def _own_key(served: Served) -> str:
    return f"{served.host_key}:{served.served_digest[:32]}"


def _remember(known: dict[Any, float], key: Any, at: float) -> None:
    if len(known) >= MAX_REMEMBERED and key not in known:
        known.clear()
    known[key] = at


def _has_lived_since(child: int, moment: float) -> bool:
    """Whether it answered somebody: then it is slow, not stuck, and others wait for it."""
    return _answered.get(child, 0.0) > moment


def _is_worth_waiting() -> bool:
    global _silent_since
    if _silent_since is None:
        _silent_since = monotonic()
    return monotonic() - _silent_since < PATIENCE_SECONDS


def _runner_answers() -> None:
    global _silent_since
    _silent_since = None


def _problem(error: sandbox.SandboxError) -> errors.InferenceError:
    if isinstance(error, sandbox.Parked):
        return errors.ModelParked(error.reason, retry_after=error.retry_after)
    problem, retry_after = _PROBLEMS.get(type(error), (errors.BadReply, None))
    return problem(error.reason, retry_after=retry_after)


# What is not named here is a reply that makes no sense.
_PROBLEMS: dict[type[sandbox.SandboxError], tuple[type[errors.InferenceError], int | None]] = {
    sandbox.ModelRaised: (errors.ModelRaised, None),
    sandbox.ModelRefused: (errors.ModelNotLoadable, 30),
    sandbox.ChildTimedOut: (errors.ModelTimedOut, None),
    sandbox.ChildDied: (errors.ModelCrashed, 5),
    sandbox.RunnerUnavailable: (errors.RunnerUnavailable, 2),
}
