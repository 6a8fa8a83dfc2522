"""Following a pickle without running it: what it would import, call and overwrite.

Ends after so many opcodes or seconds whatever the file holds.
"""

import re
from time import monotonic

from registry.runner.pickle_machine import Machine
from registry.runner.pickle_values import Exhausted, Lost, Walk

MAX_SECONDS = 2.0
MAX_LOST = 200  # times the walk may find its way again
# A name written out, as text or before STACK_GLOBAL: where to go on when the way is lost.
LANDMARK = re.compile(
    rb"[ci][A-Za-z_][\w.]{0,200}\n[A-Za-z_][\w.]{0,200}\n"
    rb"|\x8c.[A-Za-z_][\w.]{0,200}(?:\x94|q.|r....)?\x8c.[A-Za-z_][\w.]{0,200}(?:\x94|q.|r....)?\x93"
    rb"|\x80[\x02-\x05][\x95cK}\](\x8cX]",
    re.DOTALL,
)


def walk(stream: bytes, *, seconds: float = MAX_SECONDS) -> Walk:
    """Follow every pickle in `stream`, one after another."""
    found = Walk(until=monotonic() + seconds)
    try:
        _follow(stream, found)
    except (Exhausted, MemoryError, RecursionError):
        found.complete = False
    return found


def _follow(stream: bytes, found: Walk) -> None:
    at = 0
    while at < len(stream):
        machine = Machine(stream, found, at)
        try:
            machine.run()
            at = machine.at
            if at < len(stream) and stream[at : at + 1] != b"\x80":
                found.note("trailing", at)
                at = _landmark(stream, at)
        except Lost:
            found.lost += 1
            if found.lost > MAX_LOST:
                raise Exhausted from None
            found.note("lost", machine.at)
            at = _landmark(stream, machine.began + 1)


def _landmark(stream: bytes, at: int) -> int:
    met = LANDMARK.search(stream, at)
    return met.start() if met else len(stream)
