"""What an upload says of itself, in shapes a page can rely on. No framework in here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_SHOWN = 200
MAX_LENGTH = 300


@dataclass(frozen=True)
class Estimator:
    """Facts for people. A claim only: the inspected model may have forged every one."""

    name: str = ""
    steps: tuple[str, ...] = ()
    trained_with: str = ""
    runs_with: str = ""
    warnings: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "Estimator":
        """Whatever is not of the expected shape is left out."""
        params = facts.get("params")
        pairs = list(params.items())[:MAX_SHOWN] if isinstance(params, dict) else []
        return cls(
            name=_text(facts.get("class")),
            steps=_texts(facts.get("steps")),
            trained_with=_text(facts.get("trained_with")),
            runs_with=_text(facts.get("runs_with")),
            warnings=_texts(facts.get("warnings")),
            params=tuple((name, str(value)[:MAX_LENGTH]) for name, value in pairs),
        )

    @property
    def releases(self) -> str:
        return f"scikit-learn {self.trained_with}, we run {self.runs_with}"

    @property
    def is_of_another_release(self) -> bool:
        return "" not in (self.trained_with, self.runs_with) and self.trained_with != self.runs_with


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    values = value[:MAX_SHOWN] if isinstance(value, list) else []
    return tuple(text for text in values if isinstance(text, str))
