"""What stands for the objects while a pickle is followed, and what is remembered of it."""

from dataclasses import dataclass, field
from typing import Any

MAX_NAMES = 5000
KEPT_ITEMS = 16

MARK, UNKNOWN = object(), object()


@dataclass(frozen=True, slots=True)
class Name:
    """What a name in the file stands for; `attribute` may be dotted."""

    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}.{self.attribute}" if self.attribute else self.module


@dataclass(slots=True)
class Use:
    """Where a name is imported first, and what is done with it first."""

    imported_at: int
    called_at: int | None = None
    arguments: int | None = None
    written_at: int | None = None


@dataclass(slots=True)
class Made:
    """What a call would return, or an object that is filled afterwards."""

    callee: Name | None = None
    arguments: tuple = ()
    state: Any = None


@dataclass(slots=True)
class Several:
    """A tuple, a list or a mapping, as far as anybody will look into it."""

    items: tuple = ()
    count: int | None = 0
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass
class Walk:
    """What was met on the way through a stream."""

    uses: dict[Name, Use] = field(default_factory=dict)
    oddities: dict[str, int] = field(default_factory=dict)  # kind: the first offset
    opcodes: int = 0
    until: float = 0.0
    lost: int = 0
    complete: bool = True

    def note(self, kind: str, at: int) -> None:
        self.oddities.setdefault(kind, at)

    def imported(self, name: Name, at: int) -> Use | None:
        use = self.uses.get(name)
        if use is None and len(self.uses) < MAX_NAMES:
            use = self.uses[name] = Use(at)
        return use

    def called(self, name: Name, at: int, arguments: int | None) -> None:
        use = self.imported(name, at)
        if use is not None and use.called_at is None:
            use.called_at, use.arguments = at, arguments

    def written(self, name: Name, at: int) -> None:
        use = self.imported(name, at)
        if use is not None and use.written_at is None:
            use.written_at = at

    def join(self, other: "Walk") -> None:
        self.uses = {**other.uses, **self.uses}
        self.oddities = {**other.oddities, **self.oddities}
        self.opcodes = other.opcodes


class Lost(Exception):
    """No opcode here, or its argument is not whole."""


class Exhausted(Exception):
    """Enough was read of this file."""
