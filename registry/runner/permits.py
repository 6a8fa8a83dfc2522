"""Whose turn it is to load a model: a few at once, and never two into the same child.

After a crash or a restart everybody's models are asked for at once. Who waits here finds,
when its turn comes, that the one before has loaded what it wanted.
"""

from collections.abc import Iterator
from time import monotonic
from typing import Any

# A load that takes longer no longer keeps others from starting: two that hang would.
SLOW_SECONDS = 5.0


class Permits:
    """One a client at a time, for as long as it is connected. Clients are anything hashable."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._waiting: dict[Any, int] = {}  # client: child, first come first
        self._running: dict[Any, tuple[int, float]] = {}  # client: child, since

    def ask(self, client: Any, child: int) -> None:
        if client not in self._running:
            self._waiting.setdefault(client, child)

    def leave(self, client: Any) -> int | None:
        """Its permit or its wait is over: the child it was loading into, if it was."""
        self._waiting.pop(client, None)
        child, _ = self._running.pop(client, (None, 0.0))
        return child

    def granted(self) -> Iterator[Any]:
        """Each client whose turn has come."""
        for client, child in list(self._waiting.items()):
            now = monotonic()
            taken = {other for other, _ in self._running.values()}
            quick = sum(now - since < SLOW_SECONDS for _, since in self._running.values())
            if quick >= self._at_once:
                return
            if child not in taken and client in self._waiting:
                del self._waiting[client]
                self._running[client] = child, now
                yield client

    def loading(self) -> set[int]:
        """The children that are being given a model."""
        return {child for child, _ in self._running.values()}

    def facts(self) -> dict[str, int]:
        return {"running": len(self._running), "waiting": len(self._waiting)}
