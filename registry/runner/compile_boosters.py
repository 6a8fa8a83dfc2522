"""Which of the boosting libraries' estimators have a graph."""

from collections.abc import Callable
from typing import Any

import catboost
import lightgbm
import numpy as np
import xgboost

from registry.runner.columns import unwrapped
from registry.runner.compile_catboost import compile_catboost
from registry.runner.compile_lightgbm import compile_lightgbm
from registry.runner.compile_models import Answer
from registry.runner.compile_xgboost import compile_xgboost
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.lightgbm_models import LightGBMClassifier, LightGBMRegressor

MODELS: dict[type, Callable[[GraphBuilder, Any, Features], Answer]] = {
    xgboost.XGBClassifier: compile_xgboost,
    xgboost.XGBRegressor: compile_xgboost,
    xgboost.XGBRanker: compile_xgboost,
    xgboost.XGBRFClassifier: compile_xgboost,
    xgboost.XGBRFRegressor: compile_xgboost,
    lightgbm.LGBMClassifier: compile_lightgbm,
    lightgbm.LGBMRegressor: compile_lightgbm,
    lightgbm.LGBMRanker: compile_lightgbm,
    LightGBMClassifier: compile_lightgbm,
    LightGBMRegressor: compile_lightgbm,
    catboost.CatBoostClassifier: compile_catboost,
    catboost.CatBoostRegressor: compile_catboost,
    catboost.CatBoostRanker: compile_catboost,
}

# Data frames' categories come to them as strings.
TAKE_STRINGS = tuple(kind for kind in MODELS if not issubclass(kind, catboost.CatBoost))


def as_given(graph: GraphBuilder, steps: list[Any], model: Any, inputs: Features) -> Features:
    """What `model` makes of these features, coming from these steps.

    Of a sparse matrix XGBoost takes every zero for a missing value.
    """
    if not isinstance(unwrapped(model), xgboost.XGBModel) or not _is_sparse(steps):
        return inputs
    value = graph.matrix(inputs)
    is_zero = graph.add("Equal", value, graph.constant(0.0))
    value = graph.add("Where", is_zero, graph.constant(np.nan), value)
    return graph.features(value, len(inputs))


def _is_sparse(steps: list[Any]) -> bool:
    """Whether these steps put out a sparse matrix; what neither says so nor not keeps the kind."""
    found = False
    for step in steps:
        found = getattr(step, "sparse_output_", getattr(step, "sparse_output", found))
    return bool(found)
