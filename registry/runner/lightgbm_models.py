"""A bare LightGBM booster as an estimator: it knows neither classes nor scikit-learn."""

from typing import Any

import lightgbm
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

# The objective's name in the file, and how many numbers a row it gives.
CLASSIFIERS = ("binary", "multiclass", "multiclassova")


class _Model(BaseEstimator):
    def __init__(self, booster: lightgbm.Booster) -> None:
        self.booster_ = booster
        self.n_features_in_ = booster.num_feature()
        names = booster.feature_name()
        # What LightGBM calls columns that have no name.
        if names != [f"Column_{index}" for index in range(len(names))]:
            self.feature_names_in_ = np.array(names, dtype=object)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Those it was trained with, as its file tells."""
        del deep
        return {**self.booster_.params, "num_iterations": self.booster_.num_trees()}

    @property
    def feature_importances_(self) -> np.ndarray:
        return self.booster_.feature_importance()

    def _answer(self, rows: Any) -> np.ndarray:
        return np.asarray(self.booster_.predict(rows, num_threads=1))


class LightGBMClassifier(ClassifierMixin, _Model):
    """The file knows how many classes there are but not their names: 0, 1, 2 …"""

    def __init__(self, booster: lightgbm.Booster) -> None:
        super().__init__(booster)
        self.classes_ = np.arange(max(2, booster.num_model_per_iteration()))

    def predict_proba(self, rows: Any) -> np.ndarray:
        proba = self._answer(rows)
        return np.column_stack([1.0 - proba, proba]) if proba.ndim == 1 else proba

    def predict(self, rows: Any) -> np.ndarray:
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]


class LightGBMRegressor(RegressorMixin, _Model):
    """Also ranks, counts and whatever else is a number."""

    def predict(self, rows: Any) -> np.ndarray:
        return self._answer(rows)


def as_estimator(booster: lightgbm.Booster) -> Any:
    objective = objective_of(booster)
    return (LightGBMClassifier if objective in CLASSIFIERS else LightGBMRegressor)(booster)


def objective_of(booster: lightgbm.Booster) -> str:
    """Its name; "" where the booster was trained with a function of its author's."""
    words = str(booster.dump_model(num_iteration=1).get("objective") or "").split()
    return words[0] if words else ""
