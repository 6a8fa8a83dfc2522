"""What of a request's rows and answers the log keeps: as the model's owner says. No framework."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

ALL, SAMPLED, NONE = "all", "sampled", "none"
REDACTED = "[redacted]"


@dataclass(frozen=True)
class Payloads:
    """`share` of the requests (0 to 1) is kept where SAMPLED; `redacted` columns never are."""

    policy: str = ALL
    share: float = 1.0
    redacted: frozenset[str] = frozenset()

    def keeps(self, prediction_id: UUID) -> bool:
        """Decided by the id's random bits: the same for whoever asks again."""
        if self.policy == SAMPLED:
            return prediction_id.int % 2**32 < self.share * 2**32
        return self.policy == ALL

    def inputs(self, instances: Sequence[Any], names: Sequence[str]) -> Sequence[Any]:
        """The rows, their redacted columns blackened. `names` are the columns in their order."""
        if not self.redacted:
            return instances
        hidden = [name in self.redacted for name in names]
        return [self._blackened(row, names, hidden) for row in instances]

    def _blackened(self, row: Any, names: Sequence[str], hidden: Sequence[bool]) -> Any:
        if isinstance(row, dict):
            # What is in a column that the model does not know may be the same under another name.
            return {
                name: value if name in names and name not in self.redacted else REDACTED
                for name, value in row.items()
            }
        if isinstance(row, list) and len(row) == len(names):
            return [REDACTED if hide else one for one, hide in zip(row, hidden, strict=True)]
        return REDACTED  # of no shape that says which value belongs to which column
