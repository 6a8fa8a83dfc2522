"""What travels to a model: rows as columns, in the signature's order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Block = np.ndarray | list[str | None]


@dataclass(frozen=True)
class Rows:
    """`count` rows, cut into blocks of neighbouring inputs.

    A block is a float64 matrix of shape (count, width), NaN where a value is
    missing, or a list of `count` strings (one input), None where missing.
    """

    blocks: Sequence[Block]
    count: int

    def and_then(self, more: "Rows") -> "Rows":
        """These rows and then those, which fit the same signature."""
        blocks = [
            one + other if isinstance(one, list) else np.concatenate([one, other])
            for one, other in zip(self.blocks, more.blocks, strict=True)
        ]
        return Rows(blocks, self.count + more.count)

    def pick(self, indexes: Sequence[int]) -> "Rows":
        """The rows at these positions."""
        if len(indexes) == self.count:
            return self
        blocks = [
            [block[i] for i in indexes] if isinstance(block, list) else block[list(indexes)]
            for block in self.blocks
        ]
        return Rows(blocks, len(indexes))

    def first(self, count: int) -> "Rows":
        """At most `count` rows."""
        return self.pick(range(min(count, self.count)))
