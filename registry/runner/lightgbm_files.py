"""What a LightGBM model's text says of its trees."""

from collections.abc import Iterator
from dataclasses import dataclass

import lightgbm
import numpy as np

# What decision_type's bits say of a split.
CATEGORICAL, DEFAULT_LEFT = 1, 2
NO_MISSING, ZERO_MISSING, NAN_MISSING = 0, 1, 2


@dataclass
class Ensemble:
    """A model's text, understood."""

    header: dict[str, str]
    trees: list[dict[str, str]]

    @property
    def targets(self) -> int:
        return int(self.header["num_tree_per_iteration"])

    @property
    def objective(self) -> str:
        """Its name; "custom" where training had a function of its author's."""
        return (self.header.get("objective", "").split() or ["custom"])[0]

    @property
    def options(self) -> dict[str, str]:
        """What stands behind the objective's name: "sigmoid:1", "sqrt"."""
        words = self.header.get("objective", "").split()[1:]
        return {name: value for name, _, value in (word.partition(":") for word in words)}


def ensemble_of(booster: lightgbm.Booster) -> Ensemble:
    """The trees that predict: where training stopped early, those up to the best one."""
    sections = _sections(booster.model_to_string())
    return Ensemble(next(sections), list(sections))


def _sections(text: str) -> Iterator[dict[str, str]]:
    section: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith(("Tree=", "end of trees")):
            yield section
            section = {}
        if line == "end of trees":
            return
        name, _, value = line.partition("=")
        section[name] = value


def numbers(tree: dict[str, str], name: str, dtype: type = np.int64) -> np.ndarray:
    return np.array(tree[name].split(), dtype=dtype)


def category_splits(tree: dict[str, str]) -> Iterator[tuple[int, frozenset[int]]]:
    """(node, the categories that go left) of each split on categories; words of 32 bits each."""
    if "cat_threshold" not in tree:
        return
    kinds, thresholds = numbers(tree, "decision_type"), numbers(tree, "threshold", np.float64)
    bounds, words = numbers(tree, "cat_boundaries"), numbers(tree, "cat_threshold")
    for at in np.flatnonzero(kinds & CATEGORICAL).tolist():
        which = int(thresholds[at])
        own = words[bounds[which] : bounds[which + 1]]
        bits = (own[:, None] >> np.arange(32) & 1).ravel()
        yield at, frozenset(np.flatnonzero(bits).tolist())
