"""What the person at the terminal sees: steps with a tick and a time, and troubles with a fix."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

WIDTH = 64


class Trouble(Exception):
    """Something a person can put right: what happened, what to do, where the details are."""

    def __init__(self, cause: str, *, fix: str = "", log: Path | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.fix = fix
        self.log = log


class Step:
    """One line of the start; whoever runs it may make the label say more."""

    def __init__(self, label: str) -> None:
        self.label = label


def say(text: str = "", *, end: str = "\n") -> None:
    try:
        print(text, end=end, flush=True)
    except OSError:
        # The terminal or the pipe is gone; the platform still has to be stopped in order.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


@contextmanager
def step(label: str) -> Iterator[Step]:
    """Print the label with a tick and its time, or with a cross when the body raises."""
    current, started = Step(label), monotonic()
    if _is_terminal():
        say(f"  {_mark('…', '-')} {label}", end="\r")
    try:
        yield current
    except BaseException:
        say(f"  {_colour(_mark('✗', 'x'), 31)} {current.label}")
        raise
    seconds = monotonic() - started
    say(f"  {_colour(_mark('✓', '+'), 32)} {current.label:<{WIDTH}} {seconds:5.1f} s")


def verdict(good: bool, text: str, fix: str = "") -> None:
    """One line of `doctor`."""
    mark = _colour(_mark("✓", "+"), 32) if good else _colour(_mark("✗", "x"), 31)
    say(f"  {mark} {text}")
    if fix and not good:
        say(f"    fix: {fix}")


def explain(trouble: Trouble) -> None:
    say(f"\n{_colour('Stopped:', 31)} {trouble.cause}")
    if trouble.fix:
        say(f"Fix:     {trouble.fix}")
    if trouble.log:
        say(f"Log:     {trouble.log}")


def bold(text: str) -> str:
    return _colour(text, 1)


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _colour(text: str, code: int) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if _is_terminal() and "NO_COLOR" not in os.environ else text


def _mark(character: str, plain: str) -> str:
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    return character if encoding.startswith("utf") else plain
