"""Follows each input column through a fitted model and notes what is known of it.

One walk answers the signature (strings, booleans, categories) and the hints for
generated rows (typical values, split points).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from registry.runner import booster_columns
from registry.runner.input_column import MAX_CATEGORIES, Column, Shifted

# Where these keep the fitted estimator that answers; searches keep it in best_estimator_.
WRAPPERS = {
    "TunedThresholdClassifierCV": "estimator_",
    "FixedThresholdClassifier": "estimator_",
    "FrozenEstimator": "estimator",
    "SelfTrainingClassifier": "estimator_",
    "RANSACRegressor": "estimator_",
    "TransformedTargetRegressor": "regressor_",
}

# For every feature of a step, the input column it is, or None when it is a mixture.
Origins = list[Column | Shifted | None]


def columns_of(estimator: Any, names: list[str]) -> list[Column]:
    """One Column for each of `names`, the inputs of `estimator` in order."""
    columns = [Column(name) for name in names]
    # What cannot be followed stays an unremarkable float.
    attempt(_follow, estimator, list(columns))
    return columns


def takes_text(estimator: Any) -> bool:
    """Whether `estimator` wants one list of documents instead of a table."""
    first = estimator
    while True:
        first = unwrapped(first)
        if hasattr(first, "steps"):
            first = next((step for _, step in first.steps if _is_step(step)), None)
        elif hasattr(first, "transformer_list"):
            first = first.transformer_list[0][1]
        else:
            return _is_vectorizer(first)


def unwrapped(estimator: Any) -> Any:
    """The fitted estimator inside a search, threshold or frozen wrapper."""
    inner = unwrapped_once(estimator)
    return estimator if inner is None else unwrapped(inner)


def unwrapped_once(estimator: Any) -> Any:
    """What `estimator` wraps, or None when it is no wrapper."""
    attribute = WRAPPERS.get(type(estimator).__name__, "best_estimator_")
    return getattr(estimator, attribute, None)


def _is_step(step: Any) -> bool:
    return step is not None and not isinstance(step, str)


def _is_vectorizer(step: Any) -> bool:
    return hasattr(step, "build_analyzer") and hasattr(step, "ngram_range")


def attempt(action: Callable, *arguments: Any) -> Any:
    """The answer, or None: a model that cannot be read there is not refused for it."""
    try:
        return action(*arguments)
    except Exception:
        return None


def _follow(step: Any, origins: Origins) -> Origins | None:
    """Note what `step` knows of its features; the origins of what it puts out."""
    if step == "passthrough":
        return origins
    if not _is_step(step):
        return []
    step = unwrapped(step)
    for follower, wanted in FOLLOWERS:
        if hasattr(step, wanted):
            return follower(step, origins)
    return _follow_parts(step, origins)


def _follow_pipeline(pipeline: Any, origins: Origins) -> Origins | None:
    current: Origins | None = origins
    for _, step in pipeline.steps:
        if current is None:
            return None
        if _is_step(step) and step != "passthrough":
            current = attempt(_follow, step, current)
    return current


def _follow_table(table: Any, origins: Origins) -> Origins | None:
    put_out: Origins | None = []
    for name, step, _ in table.transformers_:
        indices = table._transformer_to_input_indices.get(name, [])
        given = [origins[index] for index in indices]
        is_dropped = isinstance(step, str) and step == "drop"
        _note_use(given, not is_dropped)
        if is_dropped:
            continue
        if _is_vectorizer(step) and given[0] is not None:
            given[0].dtype = "string"
        made = attempt(_follow, step, given)
        put_out = None if made is None or put_out is None else put_out + made
    return put_out


def _note_use(given: Origins, is_used: bool) -> None:
    """A column that is dropped in one place may be used in another."""
    for column in given:
        if isinstance(column, Column):
            column.is_used = is_used or bool(column.is_used)


def _follow_union(union: Any, origins: Origins) -> Origins | None:
    put_out: Origins | None = []
    for _, step in union.transformer_list:
        if isinstance(step, str) and step == "drop":
            continue
        made = attempt(_follow, step, origins)
        put_out = None if made is None or put_out is None else put_out + made
    return put_out


def _follow_encoder(encoder: Any, origins: Origins) -> Origins | None:
    for column, categories in zip(origins, encoder.categories_, strict=False):
        if column is not None:
            _note_categories(column, categories)
    return [None] * sum(getattr(encoder, "_n_features_outs", [1] * len(origins)))


def _note_categories(column: Column, categories: np.ndarray) -> None:
    known = [one for one in np.asarray(categories).tolist() if not _is_missing(one)]
    if any(one is None for one in np.asarray(categories).tolist()):
        column.missing = None
    if categories.dtype == bool:
        column.dtype = "boolean"
        return
    if all(isinstance(one, str) for one in known):
        column.dtype = "string" if known or categories.dtype == object else column.dtype
    elif not all(isinstance(one, int | float) and not isinstance(one, bool) for one in known):
        column.dtype = "boolean" if all(isinstance(one, bool) for one in known) else "string"
        return
    column.categories = known[:MAX_CATEGORIES] if len(known) <= MAX_CATEGORIES else None


def _is_missing(value: Any) -> bool:
    return value is None or value != value


def _follow_imputer(imputer: Any, origins: Origins) -> Origins | None:
    for column, value in zip(origins, imputer.statistics_, strict=False):
        if column is not None:
            _note_imputed(column, value, imputer.missing_values)
    kept = [not _is_missing(value) for value in imputer.statistics_]
    if not getattr(imputer, "keep_empty_features", False):
        origins = [column for column, keep in zip(origins, kept, strict=False) if keep]
    indicator = getattr(imputer, "indicator_", None)
    return origins + [None] * (0 if indicator is None else len(indicator.features_))


def _note_imputed(column: Column, value: Any, missing: Any) -> None:
    if isinstance(value, str):
        column.dtype = "string"
        column.missing = None if missing is None else np.nan
    elif not _is_missing(value):
        column.typical(float(value), np.nan)


def _follow_scaler(step: Any, origins: Origins, *, center: str, scale: str) -> Origins:
    centers = getattr(step, center, None)
    scales = getattr(step, scale, None)
    for index, column in enumerate(origins):
        if column is None:
            continue
        at = 0.0 if centers is None else centers[index]
        column.typical(at, np.nan if scales is None else scales[index])
    factors = np.ones(len(origins)) if scales is None else scales
    return _shifted(origins, factors, np.zeros(len(origins)) if centers is None else centers)


def _shifted(origins: Origins, scales: np.ndarray, centers: np.ndarray) -> Origins:
    return [
        None if column is None else Shifted(column, partial(_unscaled, scale, center))
        for column, scale, center in zip(origins, scales, centers, strict=True)
    ]


def _unscaled(scale: float, center: float, value: Any) -> Any:
    return value * scale + center


def _follow_min_max(scaler: Any, origins: Origins) -> Origins:
    for index, column in enumerate(origins):
        if column is not None:
            low, high = scaler.data_min_[index], scaler.data_max_[index]
            column.typical((low + high) / 2, (high - low) / 4)
    return _shifted(origins, 1 / scaler.scale_, -scaler.min_ / scaler.scale_)


def _follow_edges(step: Any, origins: Origins, *, edges: str) -> None:
    """Bins, quantiles, knots: where something changes, for each feature in turn."""
    table = getattr(step, edges)
    if isinstance(table, np.ndarray) and table.ndim == 2 and table.shape[1] == len(origins):
        table = table.T
    _note_edges(origins, [np.asarray(one, dtype=float) for one in table])


def _follow_splines(step: Any, origins: Origins) -> None:
    _note_edges(origins, [np.asarray(spline.t, dtype=float) for spline in step.bsplines_])


def _note_edges(origins: Origins, edges: list[np.ndarray]) -> None:
    for column, known in zip(origins, edges, strict=True):
        if column is not None and len(known):
            column.typical(known.mean(), (known.max() - known.min()) / 4)
            column.split_at(known)


def _follow_curve(step: Any, origins: Origins) -> None:
    """IsotonicRegression: one input."""
    _note_edges(origins, [step.X_thresholds_])


def _follow_power(step: Any, origins: Origins) -> None:
    """PowerTransformer: where its own scaler is at -1, 0 and 1."""
    points = np.array([[-1.0], [0.0], [1.0]]) * np.ones(len(origins))
    for column, (low, center, high) in zip(origins, step.inverse_transform(points).T, strict=True):
        if column is not None:
            column.typical(center, (high - low) / 2)


def _follow_binarizer(step: Any, origins: Origins) -> None:
    if type(step).__name__ != "Binarizer":  # clusters have a threshold of another kind
        return _follow_parts(step, origins)
    return _note_edges(origins, [np.array([step.threshold], dtype=float)] * len(origins))


def _follow_function(step: Any, origins: Origins) -> Origins | None:
    return origins if step.func is None else None


def _follow_selector(selector: Any, origins: Origins) -> Origins:
    return [origins[index] for index in selector.get_support(indices=True)]


def _follow_mean(step: Any, origins: Origins, *, mean: str) -> None:
    for column, value in zip(origins, np.ravel(getattr(step, mean)), strict=False):
        if column is not None:
            column.typical(value, np.nan)


def _follow_data(step: Any, origins: Origins, *, rows: str) -> None:
    table = getattr(step, rows)
    table = np.asarray(table.toarray() if hasattr(table, "toarray") else table, dtype=float)
    for index, column in enumerate(origins):
        if column is not None and table.ndim == 2 and len(table):
            column.typical(table[:, index].mean(), table[:, index].std())


def _follow_bayes(step: Any, origins: Origins) -> None:
    for index, column in enumerate(origins):
        if column is not None:
            spread = step.theta_[:, index].std() + np.sqrt(step.var_[:, index].mean())
            column.typical(step.theta_[:, index].mean(), spread)


def _follow_tree(step: Any, origins: Origins) -> None:
    tree = step.tree_
    _note_splits(origins, tree.feature, tree.threshold, tree.feature >= 0)


def _follow_histogram_trees(step: Any, origins: Origins) -> None:
    if getattr(step, "_preprocessor", None) is not None:
        # Trained on categories: the encoder inside knows them.
        given = [origins[at] for at in np.flatnonzero(step.is_categorical_)]
        _follow_encoder(step._preprocessor.named_transformers_["encoder"], given)
        return
    for trees in step._predictors:
        for tree in trees:
            nodes = tree.nodes
            is_split = (nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)
            _note_splits(origins, nodes["feature_idx"], nodes["num_threshold"], is_split)


def _follow_booster(model: Any, origins: Origins) -> None:
    for features, thresholds in booster_columns.splits(model):
        _note_splits(origins, features, thresholds, np.ones(len(features), dtype=bool))
    for at, known in booster_columns.categories(model).items():
        if isinstance(origins[at], Column):
            origins[at].categorical(known, is_closed=booster_columns.refuses_others(model))
    for at in booster_columns.words(model):
        if isinstance(origins[at], Column):
            origins[at].dtype = "string"


def _note_splits(
    origins: Origins, features: np.ndarray, thresholds: np.ndarray, is_split: np.ndarray
) -> None:
    features, thresholds = features[is_split], thresholds[is_split]
    for index in np.unique(features):
        column = origins[index] if index < len(origins) else None
        if column is not None:
            column.split_at(thresholds[features == index])


def _follow_stated(step: Any, origins: Origins) -> None:
    """A graph knows its columns itself."""
    for column, known in zip(origins, step.stated_columns_, strict=True):
        column.dtype = known.dtype
        column.categories = known.categories
        column.split_at(np.array(known.thresholds, dtype=float))


def _follow_parts(step: Any, origins: Origins) -> None:
    """Voting, stacking, bagging, forests, one-vs-rest …: each part sees the same features."""
    parts = getattr(step, "estimators_", None)
    if parts is None:
        parts = getattr(step, "calibrated_classifiers_", None) or [
            getattr(step, "regressor_", None)
            or getattr(step, "estimator_", None)
            or getattr(step, "estimator", None)
        ]
    subsets = getattr(step, "estimators_features_", None)
    for index, part in enumerate(np.ravel(np.asarray(parts, dtype=object))):
        given = origins if subsets is None else [origins[at] for at in subsets[index]]
        if part is not None:
            attempt(_follow, part, given)


_scaler = partial(_follow_scaler, center="mean_", scale="scale_")
_robust_scaler = partial(_follow_scaler, center="center_", scale="scale_")

# The first attribute a fitted step has says what it is; the order matters.
FOLLOWERS: list[tuple[Callable, str]] = [
    (_follow_stated, "stated_columns_"),
    (_follow_pipeline, "steps"),
    (_follow_table, "_transformer_to_input_indices"),
    (_follow_union, "transformer_list"),
    (_follow_encoder, "categories_"),
    (_follow_imputer, "statistics_"),
    (_follow_min_max, "data_min_"),
    (_robust_scaler, "center_"),
    (_follow_selector, "get_support"),
    (partial(_follow_mean, mean="mean_"), "components_"),
    (partial(_follow_edges, edges="bin_edges_"), "bin_edges_"),
    (partial(_follow_edges, edges="quantiles_"), "quantiles_"),
    (_follow_splines, "bsplines_"),
    (_follow_power, "lambdas_"),
    (_follow_curve, "X_thresholds_"),
    (_scaler, "scale_"),
    (_follow_tree, "tree_"),
    (_follow_booster, "get_booster"),  # XGBoost
    (_follow_booster, "booster_"),  # LightGBM
    (_follow_booster, "get_cat_feature_indices"),  # CatBoost
    (_follow_histogram_trees, "_predictors"),
    (partial(_follow_data, rows="support_vectors_"), "support_vectors_"),
    (partial(_follow_data, rows="_fit_X"), "_fit_X"),
    (partial(_follow_data, rows="cluster_centers_"), "cluster_centers_"),
    (partial(_follow_data, rows="X_train_"), "X_train_"),
    (partial(_follow_data, rows="means_"), "means_"),
    (_follow_bayes, "theta_"),
    (partial(_follow_data, rows="centroids_"), "centroids_"),
    (partial(_follow_data, rows="X_fit_"), "X_fit_"),
    (partial(_follow_data, rows="subcluster_centers_"), "subcluster_centers_"),
    (partial(_follow_mean, mean="location_"), "location_"),
    (partial(_follow_mean, mean="_x_mean"), "_x_mean"),
    (_follow_binarizer, "threshold"),
    (_follow_function, "func"),
]
