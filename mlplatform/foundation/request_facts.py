"""Who asks from where: what a record made deep inside wants to know of the request around it."""

from contextvars import ContextVar, Token
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class RequestFacts:
    """Empty outside requests: in a worker, a command, a shell."""

    request_id: str = ""
    ip: str | None = None
    api_key: str = ""  # the prefix of the key that was used


_NONE = RequestFacts()
_current: ContextVar[RequestFacts] = ContextVar("request_facts", default=_NONE)


def current() -> RequestFacts:
    return _current.get()


def begin(*, request_id: str, ip: str | None) -> Token[RequestFacts]:
    """For the outermost middleware; give what it returns to `end`."""
    return _current.set(RequestFacts(request_id=request_id, ip=ip))


def note_api_key(prefix: str) -> None:
    """Called where a key has been accepted."""
    _current.set(replace(_current.get(), api_key=prefix))


def end(token: Token[RequestFacts]) -> None:
    """A thread serves many requests: nothing of this one is left to the next."""
    _current.reset(token)
