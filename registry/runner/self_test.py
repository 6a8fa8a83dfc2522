"""The runner's own question at start: does the sandbox hold, on this machine, now?"""

from time import monotonic
from typing import Any

from registry.runner import children, frames
from registry.runner.lockdown import Fences

SECONDS = 20.0
KINDS = ("inspector", "graph")


def self_test(fences: Fences) -> dict[str, Any]:
    """The fences, and what a real child of each kind could break: {"complete": bool, "broken": …}.

    Landlock is not mandatory: without a path to name there is nothing left for it to forbid.
    """
    broken: dict[str, str] = {}
    for kind in KINDS:
        broken |= {f"{kind}: {name}": said for name, said in _broken_in(fences, kind).items()}
    complete = fences.seccomp and not broken
    return {
        **fences.facts(),
        "broken": broken,
        "complete": complete or fences.may_be_incomplete,
        "allowed_incomplete": fences.may_be_incomplete and not complete,
    }


def _broken_in(fences: Fences, kind: str) -> dict[str, str]:
    child = children.fork_self_test(fences, kind=kind)
    deadline = monotonic() + SECONDS
    try:
        with child.connect() as connection:
            connection.setblocking(False)
            frames.send(connection, frames.pack({}), deadline=deadline)
            said = frames.receive(connection, deadline=deadline).header["broken"]
            return {str(name): str(what)[:200] for name, what in said.items()}
    except (frames.FrameError, OSError, KeyError) as error:
        return {"answer": f"the child did not answer: {type(error).__name__}"}
    finally:
        child.kill()
        child.reap()
