"""Which features a model's answers depend on most, as the model itself says."""

from typing import Any

import catboost
import numpy as np

from registry.runner.columns import attempt, unwrapped
from registry.runner.facts import clean

MAX_SHOWN = 50


def importances_of(estimator: Any, names: list[str]) -> list[dict[str, Any]]:
    """[{"name": a feature's, "importance": its share of 1}], the greatest first.

    Of linear models the size of their coefficients; empty where a model says nothing.

    `names` are the inputs'; behind a pipeline's steps features have names of their own.
    """
    return attempt(_shares, unwrapped(estimator), names) or []


def _shares(estimator: Any, names: list[str]) -> list[dict[str, Any]]:
    steps = getattr(estimator, "steps", None)
    values = np.asarray(_values(unwrapped(steps[-1][1] if steps else estimator)), dtype=float)
    if values.ndim != 1 or not np.isfinite(values).all() or values.min() < 0 or not values.any():
        return []
    if steps and len(steps) > 1:
        names = attempt(_names_behind, estimator) or []
    if len(names) != len(values):
        names = [f"feature {at}" for at in range(len(values))]
    shares = values / values.sum()
    greatest = np.argsort(-shares, kind="stable")[:MAX_SHOWN].tolist()
    return [
        {"name": clean(names[at]), "importance": round(float(shares[at]), 6)} for at in greatest
    ]


def _names_behind(pipeline: Any) -> list[str]:
    return [str(name) for name in pipeline[:-1].get_feature_names_out()]


def _values(model: Any) -> Any:
    if isinstance(model, catboost.CatBoost):
        # By itself it would start threads.
        return model.get_feature_importance(thread_count=1)
    if hasattr(model, "feature_importances_"):
        return model.feature_importances_
    return np.abs(np.atleast_2d(np.asarray(model.coef_, dtype=float))).mean(axis=0)
