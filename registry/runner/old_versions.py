"""Models saved by older releases of scikit-learn (1.2 to 1.8), made to answer as they did there.

Two tables: what a pickle names that has moved or gone (`replacement`), and what an
estimator lacks, or means otherwise today, once it is loaded (`mend`). Each entry says
which release changed it. What is not here stays as it was loaded.
"""

import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn import (
    compose,
    cross_decomposition,
    decomposition,
    ensemble,
    impute,
    linear_model,
    neighbors,
)
from sklearn._loss import _loss
from sklearn.base import BaseEstimator
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 # makes it importable
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
from sklearn.tree import _tree
from sklearn.utils.extmath import softmax

Version = tuple[int, ...]


class Forgotten:
    """Stands for an object that only fitting needed."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class Columns(list):
    """Column numbers of a remainder, once a list that warned (1.5 to 1.7)."""

    def __setstate__(self, state: Any) -> None:
        known = state.get("data", state) if isinstance(state, dict) else state
        self[:] = known if isinstance(known, list) else self


class Tree(_tree.Tree):
    """A tree whose nodes may lack a field (before 1.3) and whose values may be counts (1.4)."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        nodes = _tree.Tree(1, np.array([1], dtype=np.intp), 1).__getstate__()["nodes"].dtype
        state = {**state, "nodes": _with_fields(state["nodes"], nodes)}
        if np.max(self.n_classes) > 1:
            state["values"] = _shares(np.asarray(state["values"]))
        super().__setstate__(state)


def _with_fields(nodes: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if nodes.dtype.names == dtype.names or not set(nodes.dtype.names or ()) <= set(dtype.names):
        return nodes
    whole = np.zeros(nodes.shape, dtype=dtype)
    for name in nodes.dtype.names:
        whole[name] = nodes[name]
    return whole


def _shares(values: np.ndarray) -> np.ndarray:
    """Each class's share of a node; counts were kept before 1.4."""
    total = values.sum(axis=2, keepdims=True)
    if np.allclose(total, 1.0, rtol=1e-6):
        return values
    return values / np.where(total == 0, 1.0, total)


def unpickled_loss(kind: type, checksum: int, state: Any = None) -> Any:
    """A loss as its class makes it; releases until 1.5 saved it by a checksum of its fields."""
    numbers = [one for one in state or () if isinstance(one, int | float)]
    return kind(*numbers)


def replacement(module: str, name: str) -> Any:
    """What stands today for a name that an older pickle asks for, or None."""
    if module == "sklearn.tree._tree" and name == "Tree":
        return Tree
    if module in ("_loss", "closs", "sklearn._loss._loss"):
        is_state = name.startswith("__pyx_unpickle_Cy")
        if is_state and not (module == "sklearn._loss._loss" and hasattr(_loss, name)):
            return unpickled_loss
        return getattr(_loss, name, None) if module != "sklearn._loss._loss" else None
    return MOVED.get((module, name)) or FORGOTTEN.get(module)


def _moved() -> dict[tuple[str, str], Any]:
    """Distances carry their number's size in their name since 1.3."""
    from sklearn.metrics import _dist_metrics

    names = [name for name in vars(_dist_metrics) if name.endswith("Distance64")]
    metrics = {
        ("sklearn.metrics._dist_metrics", name.removesuffix("64")): getattr(_dist_metrics, name)
        for name in names
    }
    return {
        **metrics,
        ("sklearn.compose._column_transformer", "_RemainderColsList"): Columns,
        ("sklearn.metrics._scorer", "_passthrough_scorer"): Forgotten,
    }


MOVED = _moved()
# Losses of gradient boosting (until 1.3) and of stochastic descent (until 1.5).
FORGOTTEN = {"sklearn.ensemble._gb_losses": Forgotten}
for _name in ("Log", "SquaredLoss", "Huber", "LossFunction"):
    MOVED["sklearn.linear_model._sgd_fast", _name] = Forgotten


class LogisticRegression(linear_model.LogisticRegression):
    """One class against the rest, or two classes as if they were many: both gone in 1.8."""

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803 # theirs
        scores = self.decision_function(X)
        if is_one_against_rest(self):
            proba = expit(scores)
            if proba.ndim == 1:
                return np.column_stack([1 - proba, proba])
            return proba / proba.sum(axis=1, keepdims=True)
        return softmax(np.column_stack([-scores, scores]) if scores.ndim == 1 else scores)


class LogisticRegressionCV(LogisticRegression, linear_model.LogisticRegressionCV):
    """The same, by cross-validation."""


def is_one_against_rest(model: Any) -> bool:
    kind = getattr(model, "multi_class", "auto")
    if kind in ("ovr", "warn"):
        return True
    return kind != "multinomial" and (len(model.classes_) == 2 or model.solver == "liblinear")


class AdaBoostClassifier(ensemble.AdaBoostClassifier):
    """By probabilities (SAMME.R, gone in 1.6), or by votes for but not against (before 1.3)."""

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803 # theirs
        vote = self._log_shares if self.algorithm == "SAMME.R" else self._vote
        weights = self.estimator_weights_[: len(self.estimators_)]
        total = sum(
            vote(part, X, weight) for part, weight in zip(self.estimators_, weights, strict=True)
        )
        total = total / self.estimator_weights_.sum()
        return total[:, 1] - total[:, 0] if self.n_classes_ == 2 else total

    def _vote(self, part: Any, rows: Any, weight: float) -> np.ndarray:
        return (part.predict(rows)[:, None] == self.classes_) * weight

    def _log_shares(self, part: Any, rows: Any, weight: float) -> np.ndarray:
        proba = np.clip(part.predict_proba(rows), np.finfo(float).eps, None)
        logs = np.log(proba)
        return (self.n_classes_ - 1) * (logs - logs.mean(axis=1, keepdims=True))


def numbers_of(version: str) -> Version:
    """(1, 3) of "1.3.2"; (0,) of what is no number."""
    parts = version.split(".")[:2]
    return tuple(int(one) for one in parts) if all(one.isdigit() for one in parts) else (0,)


def mend(parts: Iterable[Any], version: Version) -> None:
    """Give estimators of `version` what today's scikit-learn expects of them."""
    for part in parts:
        for kind, action in MENDERS:
            if isinstance(part, kind):
                action(part, version)


def _fill_settings(part: Any, version: Version) -> None:
    """Settings that came later have the value that changes nothing: their default."""
    if not type(part).__module__.startswith(("sklearn.", __name__)):
        return
    for name, setting in inspect.signature(type(part).__init__).parameters.items():
        if name not in vars(part) and setting.default is not inspect.Parameter.empty:
            _give(part, name, setting.default)


def _give(part: Any, name: str, value: Any) -> None:
    if not hasattr(part, name):
        setattr(part, name, value)


def _rename(part: Any, old: str, new: str) -> None:
    """base_estimator became estimator in 1.2 to 1.7."""
    known = vars(part).get(old)
    if known is not None and not isinstance(known, str) and vars(part).get(new) is None:
        setattr(part, new, known)


def _mend_bases(part: Any, version: Version) -> None:
    _rename(part, "base_estimator", "estimator")
    _rename(part, "base_estimator_", "estimator_")


def _mend_logistic(part: Any, version: Version) -> None:
    if "multi_class" not in vars(part) or not hasattr(part, "classes_"):
        return
    is_usual = is_one_against_rest(part) == (len(part.classes_) == 2)
    if is_usual:
        return
    searched = isinstance(part, linear_model.LogisticRegressionCV)
    part.__class__ = LogisticRegressionCV if searched else LogisticRegression


def _mend_adaboost(part: Any, version: Version) -> None:
    is_other = getattr(part, "algorithm", "") == "SAMME.R" or version < (1, 3)
    if is_other and hasattr(part, "estimators_"):
        part.__class__ = AdaBoostClassifier


def _mend_ridge(part: Any, version: Version) -> None:
    """Its classes were read from its binarizer until 1.7."""
    if hasattr(part, "_label_binarizer") and "classes_" not in vars(part):
        part.classes_ = part._label_binarizer.classes_


def _mend_imputer(part: Any, version: Version) -> None:
    """It remembers what it fills in apart from what it was fitted on since 1.8."""
    if hasattr(part, "_fit_dtype"):
        _give(part, "_fill_dtype", part._fit_dtype)


def _mend_table(part: Any, version: Version) -> None:
    """Columns that pass through are a step of their own since 1.4."""
    if not hasattr(part, "transformers_"):
        return
    part.transformers_ = [
        (name, _passing(part, name) if _is_word(step, "passthrough") else step, columns)
        for name, step, columns in part.transformers_
    ]


def _is_word(step: Any, word: str) -> bool:
    return isinstance(step, str) and step == word


def _passing(table: Any, name: str) -> Any:
    chosen = list(table._transformer_to_input_indices.get(name, ()))
    names = getattr(table, "feature_names_in_", None)
    columns = None if names is None else [names[at] for at in chosen]
    step = FunctionTransformer(
        accept_sparse=True, check_inverse=False, feature_names_out="one-to-one"
    )
    seen = np.zeros((1, max(1, len(chosen))))
    step.fit(seen if not columns else pd.DataFrame(seen, columns=columns))
    return step.set_output(transform="default")


def _mend_histogram(part: Any, version: Version) -> None:
    """Categories by an encoder of its own since 1.4."""
    _give(part, "_preprocessor", None)
    _give(part, "_is_categorical_remapped", getattr(part, "is_categorical_", None))


def _mend_boosting(part: Any, version: Version) -> None:
    """Its losses are shared with other models since 1.4."""
    if isinstance(getattr(part, "_loss", None), Forgotten) or not hasattr(part, "_loss"):
        count = getattr(part, "n_classes_", 1)
        _give(part, "n_trees_per_iteration_", 1 if count <= 2 else count)
        part._loss = part._get_loss(sample_weight=None)


def _mend_squares(part: Any, version: Version) -> None:
    """Its weights are for numbers that are centred only, no longer scaled, since 1.5."""
    _give(part, "_predict_1d", False)
    if "_coef_" in vars(part):
        part.coef_ = part._coef_
    elif not (version < (1, 5) and hasattr(part, "coef_")):
        return
    part.coef_ = part.coef_ / np.ravel(part._x_std)


def _mend_ordinal(part: Any, version: Version) -> None:
    _give(part, "_infrequent_enabled", False)


def _mend_turns(part: Any, version: Version) -> None:
    """Empty features are remembered since 1.6."""
    first = getattr(part, "initial_imputer_", None)
    if first is not None:
        known = [one != one for one in first.statistics_]
        _give(part, "_is_empty_feature", np.array(known, dtype=bool))


def _mend_function(part: Any, version: Version) -> None:
    """An argument of check_array has another name since 1.6; it is kept in a partial call."""
    func = part.func
    if isinstance(func, partial) and "force_all_finite" in func.keywords:
        named = {**func.keywords}
        named["ensure_all_finite"] = named.pop("force_all_finite")
        part.func = partial(func.func, *func.args, **named)


def _mend_text(part: Any, version: Version) -> None:
    """Its weights were kept as a matrix until 1.4."""
    matrix = vars(part).get("_idf_diag")
    if matrix is not None and "idf_" not in vars(part):
        part.idf_ = matrix.diagonal()


def _mend_kernel_parts(part: Any, version: Version) -> None:
    if hasattr(part, "X_fit_"):
        _give(part, "gamma_", 1 / part.X_fit_.shape[1] if part.gamma is None else part.gamma)


def _mend_centroids(part: Any, version: Version) -> None:
    """Every class was as likely as another until 1.6."""
    if hasattr(part, "classes_"):
        _give(part, "class_prior_", np.full(len(part.classes_), 1 / len(part.classes_)))


def _mend_isolation(part: Any, version: Version) -> None:
    """It works out its paths when fitted since 1.3."""
    if not hasattr(part, "estimators_") or hasattr(part, "_decision_path_lengths"):
        return
    part._average_path_length_per_tree, part._decision_path_lengths = zip(
        *[
            (
                ensemble._iforest._average_path_length(one.tree_.n_node_samples),
                one.tree_.compute_node_depths(),
            )
            for one in part.estimators_
        ],
        strict=True,
    )


MENDERS: list[tuple[type | tuple[type, ...], Callable[[Any, Version], None]]] = [
    (BaseEstimator, _mend_bases),
    (BaseEstimator, _fill_settings),
    (linear_model.LogisticRegression, _mend_logistic),
    (ensemble.AdaBoostClassifier, _mend_adaboost),
    ((linear_model.RidgeClassifier, linear_model.RidgeClassifierCV), _mend_ridge),
    ((impute.SimpleImputer, impute.MissingIndicator), _mend_imputer),
    (compose.ColumnTransformer, _mend_table),
    (
        (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor),
        _mend_histogram,
    ),
    ((ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor), _mend_boosting),
    (
        (
            cross_decomposition.PLSRegression,
            cross_decomposition.PLSCanonical,
            cross_decomposition.CCA,
        ),
        _mend_squares,
    ),
    (TfidfTransformer, _mend_text),
    (OrdinalEncoder, _mend_ordinal),
    (impute.IterativeImputer, _mend_turns),
    (FunctionTransformer, _mend_function),
    (decomposition.KernelPCA, _mend_kernel_parts),
    (neighbors.NearestCentroid, _mend_centroids),
    (ensemble.IsolationForest, _mend_isolation),
]
