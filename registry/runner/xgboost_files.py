"""What an XGBoost model's file says of its trees."""

from typing import Any

import orjson
import xgboost


def learner_of(booster: xgboost.Booster) -> dict[str, Any]:
    """The model as its file tells it."""
    return orjson.loads(booster.save_raw("json"))["learner"]


def trees_of(learner: dict[str, Any]) -> list[dict[str, Any]]:
    """The trees as the file has them; none where the booster is linear."""
    return tree_model(learner).get("trees", [])


def tree_model(learner: dict[str, Any]) -> dict[str, Any]:
    booster = learner["gradient_booster"]
    return booster.get("gbtree", booster)["model"]
