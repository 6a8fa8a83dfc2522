"""Whether answers of a version are remembered, and why. No framework in here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AUTO, ALWAYS, NEVER = "auto", "always", "never"

# What remembering costs: a row that is not known has to be written, and that is a round trip of
# its own. The look-up rides along with the call that every request makes.
WORTH_MS = 0.5


@dataclass(frozen=True)
class Caching:
    serves: bool
    reason: str


def decide(policy: str, parity: Mapping[str, Any], *, is_graph: bool) -> Caching:
    """By what the model's owner says, else by what one row was measured to take in admission."""
    if policy == NEVER:
        return Caching(False, "The model's owner wants every answer fresh.")
    if policy == ALWAYS:
        return Caching(True, "The model's owner wants every answer remembered.")
    measured = parity.get("graph_ms" if is_graph else "original_ms")
    if not isinstance(measured, int | float):
        return Caching(True, "Nobody has measured what an answer costs.")
    takes = f"One row takes {measured:.2f} ms"
    if measured < WORTH_MS:
        return Caching(False, f"{takes}: remembering it would cost as much ({WORTH_MS} ms).")
    return Caching(True, f"{takes}; looking it up costs less.")
