"""What the boosting libraries' models know of their input columns: split points, categories."""

from collections.abc import Iterator
from typing import Any

import catboost
import numpy as np
import xgboost

from registry.runner.catboost_files import read_forest
from registry.runner.lightgbm_files import CATEGORICAL, ensemble_of, numbers
from registry.runner.xgboost_files import learner_of, trees_of

# Where the text of a LightGBM model names the columns that were categories.
PARAMETER = "[categorical_feature: "

Splits = Iterator[tuple[np.ndarray, np.ndarray]]


def splits(model: Any) -> Splits:
    """(columns, thresholds) of the numeric splits, in parts."""
    if isinstance(model, xgboost.XGBModel):
        return _xgboost_splits(model)
    if isinstance(model, catboost.CatBoost):
        return _catboost_splits(model)
    return _lightgbm_splits(model)


def categories(model: Any) -> dict[int, list[Any]]:
    """Of each column that was a pandas categorical in training, what it could be."""
    if isinstance(model, xgboost.XGBModel):
        return _xgboost_categories(model.get_booster())
    if isinstance(model, catboost.CatBoost):
        return {}
    return _lightgbm_categories(model.booster_)


def refuses_others(model: Any) -> bool:
    """Whether a category that was not in training is an error; else it is a missing value.

    Some such strings XGBoost takes for one it knows (measured in 3.2: the empty one).
    """
    return isinstance(model, xgboost.XGBModel)


def words(model: Any) -> list[int]:
    """The columns that CatBoost takes as strings: categories, which it hashes."""
    is_catboost = isinstance(model, catboost.CatBoost)
    return list(model._get_cat_feature_indices()) if is_catboost else []


def _xgboost_splits(model: Any) -> Splits:
    for tree in trees_of(learner_of(model.get_booster())):
        left = np.asarray(tree["left_children"])
        is_split = (left >= 0) & (np.asarray(tree["split_type"]) == 0)
        conditions = np.asarray(tree["split_conditions"], dtype=np.float64)
        yield np.asarray(tree["split_indices"])[is_split], conditions[is_split]


def _xgboost_categories(booster: xgboost.Booster) -> dict[int, list[Any]]:
    if "c" not in (booster.feature_types or ()):
        return {}
    found = booster.get_categories(export_to_arrow=True).to_arrow()
    return {at: known.to_pylist() for at, (_, known) in enumerate(found) if known is not None}


def _lightgbm_splits(model: Any) -> Splits:
    for tree in ensemble_of(model.booster_).trees:
        if "split_feature" in tree:
            is_split = numbers(tree, "decision_type") & CATEGORICAL == 0
            thresholds = numbers(tree, "threshold", np.float64)
            yield numbers(tree, "split_feature")[is_split], thresholds[is_split]


def _lightgbm_categories(booster: Any) -> dict[int, list[Any]]:
    if not booster.pandas_categorical:
        return {}
    lines = booster.model_to_string(num_iteration=1).splitlines()
    line = next(line for line in lines if line.startswith(PARAMETER))
    used = sorted(int(one) for one in line.removeprefix(PARAMETER).rstrip("]").split(","))
    return dict(zip(used, booster.pandas_categorical, strict=True))


def _catboost_splits(model: Any) -> Splits:
    forest = read_forest(model._serialize_model())
    # Missing values have a border of their own at the end of the numbers.
    is_number = np.abs(forest.borders) < np.finfo(np.float32).max
    yield forest.columns[is_number], forest.borders[is_number].astype(np.float64)
