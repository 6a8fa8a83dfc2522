"""Real, tiny models of the three gradient boosting libraries, and data to fit and ask them."""

import io
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb
from catboost import CatBoostClassifier, CatBoostRanker, CatBoostRegressor
from sklearn import datasets
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingRegressor, VotingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

XGB = {"n_estimators": 12, "max_depth": 4, "n_jobs": 1}
LGB = {"n_estimators": 12, "num_leaves": 12, "n_jobs": 1, "verbose": -1}
CAT = {"iterations": 15, "depth": 4, "thread_count": 1, "verbose": 0, "allow_writing_files": False}


@cache
def data(name: str) -> tuple[Any, np.ndarray]:
    """Rows and target; "…_holes" has missing values, "named" a data frame's column names."""
    if name in MADE:
        return MADE[name]()
    if name.endswith("_holes"):
        rows, target = data(name.removesuffix("_holes"))
        rows = np.array(rows)
        rows[np.random.default_rng(0).random(rows.shape) < 0.2] = np.nan
        return rows, target
    return getattr(datasets, f"load_{name}")(return_X_y=True)


def words() -> tuple[np.ndarray, np.ndarray]:
    rows, target = data("iris")
    return rows, np.array(["setosa", "versicolor", "virginica"])[target]


def counts() -> tuple[np.ndarray, np.ndarray]:
    rows, target = data("diabetes")
    return rows, np.round(target / 50)


def two_targets() -> tuple[np.ndarray, np.ndarray]:
    rows, target = data("diabetes")
    return rows, np.column_stack([target, np.sqrt(target)])


def two_labels() -> tuple[np.ndarray, np.ndarray]:
    rows, target = data("iris")
    return rows, np.column_stack([target == 0, target == 2]).astype(int)


def one_label() -> tuple[np.ndarray, np.ndarray]:
    rows, target = two_labels()
    return rows, target[:, 0]


def towns() -> tuple[pd.DataFrame, np.ndarray]:
    """Two numbers and a category."""
    random = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "age": random.integers(18, 80, 300).astype(float),
            "town": pd.Categorical(random.choice(["Rome", "Oslo", "Bonn"], 300)),
            "income": random.normal(3000, 500, 300).round(),
        }
    )
    return table, ((table["age"] > 40) ^ (table["town"] == "Rome")).to_numpy().astype(int)


def towns_with_holes(*, as_codes: bool = False) -> tuple[Any, np.ndarray]:
    """More towns, some of them missing, and a category of numbers; or all as plain numbers."""
    random = np.random.default_rng(5)
    table, target = towns()
    names = [f"town {index}" for index in range(40)]
    table["town"] = pd.Categorical(random.choice(names, 300), categories=names)
    table["floor"] = pd.Categorical(random.choice([-1, 0, 1, 2, 10], 300))
    target = target ^ (table["town"].cat.codes % 3 == 0) ^ (table["floor"] == 10)
    table.loc[::7, ["town", "age"]] = np.nan
    table.loc[::9, "floor"] = np.nan
    if not as_codes:
        return table, target.to_numpy().astype(int)
    codes = [table["town"].cat.codes, table["floor"].cat.codes]
    rows = np.column_stack([table["age"], table["income"], *codes]).astype(float)
    rows[:, 2:][rows[:, 2:] < 0] = np.nan
    return rows, target.to_numpy().astype(int)


def coded_towns() -> tuple[np.ndarray, np.ndarray]:
    return towns_with_holes(as_codes=True)


# Data sets that scikit-learn has not.
MADE: dict[str, Callable[[], tuple[Any, np.ndarray]]] = {
    "named": lambda: datasets.load_iris(return_X_y=True, as_frame=True),
    "words": words,
    "counts": counts,
    "two_targets": two_targets,
    "two_labels": two_labels,
    "one_label": one_label,
    "towns": towns,
    "towns_holes": towns_with_holes,
    "coded_holes": coded_towns,
}


def groups(target: np.ndarray) -> list[int]:
    return [10] * (len(target) // 10) + ([len(target) % 10] if len(target) % 10 else [])


def ranked(model: Any, rows: Any, target: np.ndarray) -> Any:
    target = np.minimum(np.asarray(target) // 60, 4).astype(int)
    if isinstance(model, CatBoostRanker):
        return model.fit(rows, target, group_id=np.repeat(range(len(rows)), 10)[: len(rows)])
    return model.fit(rows, target, group=groups(target))


# name: (the data set, an unfitted estimator)
XGBOOST: dict[str, tuple[str, Callable[[], Any]]] = {
    "binary": ("breast_cancer", lambda: xgb.XGBClassifier(**XGB)),
    "binary_holes": ("breast_cancer_holes", lambda: xgb.XGBClassifier(**XGB)),
    "many": ("iris", lambda: xgb.XGBClassifier(**XGB)),
    "named": ("named", lambda: xgb.XGBClassifier(**XGB)),
    "digits": ("digits", lambda: xgb.XGBClassifier(**XGB)),
    "regressor": ("diabetes", lambda: xgb.XGBRegressor(**XGB)),
    "regressor_holes": ("diabetes_holes", lambda: xgb.XGBRegressor(**XGB)),
    "poisson": ("counts", lambda: xgb.XGBRegressor(objective="count:poisson", **XGB)),
    "gamma": ("diabetes", lambda: xgb.XGBRegressor(objective="reg:gamma", **XGB)),
    "tweedie": ("diabetes", lambda: xgb.XGBRegressor(objective="reg:tweedie", **XGB)),
    "absolute": ("diabetes", lambda: xgb.XGBRegressor(objective="reg:absoluteerror", **XGB)),
    "logistic_target": (
        "one_label",
        lambda: xgb.XGBRegressor(objective="reg:logistic", **XGB),
    ),
    "dart": ("breast_cancer", lambda: xgb.XGBClassifier(booster="dart", rate_drop=0.3, **XGB)),
    "forest": ("breast_cancer", lambda: xgb.XGBRFClassifier(**XGB)),
    "forest_regressor": ("diabetes", lambda: xgb.XGBRFRegressor(**XGB)),
    "linear": ("diabetes", lambda: xgb.XGBRegressor(booster="gblinear", n_estimators=12, n_jobs=1)),
    "hinge": ("breast_cancer", lambda: xgb.XGBClassifier(objective="binary:hinge", **XGB)),
    "ranker": ("diabetes", lambda: xgb.XGBRanker(**XGB)),
    "two_targets": ("two_targets", lambda: xgb.XGBRegressor(**XGB)),
    "vector_leaves": (
        "two_targets",
        lambda: xgb.XGBRegressor(multi_strategy="multi_output_tree", **XGB),
    ),
    "two_labels": ("two_labels", lambda: xgb.XGBClassifier(**XGB)),
    "minus_one": ("diabetes", lambda: xgb.XGBRegressor(missing=-1.0, **XGB)),
    "quantiles": (
        "diabetes",
        lambda: xgb.XGBRegressor(
            objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9], **XGB
        ),
    ),
    "towns": ("towns", lambda: xgb.XGBClassifier(enable_categorical=True, **XGB)),
    "towns_holes": (
        "towns_holes",
        lambda: xgb.XGBClassifier(enable_categorical=True, max_cat_to_onehot=2, **XGB),
    ),
    "coded": (
        "coded_holes",
        lambda: xgb.XGBClassifier(
            enable_categorical=True, feature_types=["q", "q", "c", "c"], **XGB
        ),
    ),
}
LIGHTGBM: dict[str, tuple[str, Callable[[], Any]]] = {
    "binary": ("breast_cancer", lambda: lgb.LGBMClassifier(**LGB)),
    "binary_holes": ("breast_cancer_holes", lambda: lgb.LGBMClassifier(**LGB)),
    "many": ("iris", lambda: lgb.LGBMClassifier(**LGB)),
    "named": ("named", lambda: lgb.LGBMClassifier(**LGB)),
    "words": ("words", lambda: lgb.LGBMClassifier(**LGB)),
    "digits": ("digits", lambda: lgb.LGBMClassifier(**LGB)),
    "each": ("iris", lambda: lgb.LGBMClassifier(objective="multiclassova", **LGB)),
    "regressor": ("diabetes", lambda: lgb.LGBMRegressor(**LGB)),
    "regressor_holes": ("diabetes_holes", lambda: lgb.LGBMRegressor(**LGB)),
    "zero_missing": ("digits", lambda: lgb.LGBMClassifier(zero_as_missing=True, **LGB)),
    "never_missing": ("diabetes", lambda: lgb.LGBMRegressor(use_missing=False, **LGB)),
    "poisson": ("counts", lambda: lgb.LGBMRegressor(objective="poisson", **LGB)),
    "gamma": ("diabetes", lambda: lgb.LGBMRegressor(objective="gamma", **LGB)),
    "tweedie": ("diabetes", lambda: lgb.LGBMRegressor(objective="tweedie", **LGB)),
    "quantile": ("diabetes", lambda: lgb.LGBMRegressor(objective="quantile", **LGB)),
    "root": ("diabetes", lambda: lgb.LGBMRegressor(reg_sqrt=True, **LGB)),
    "entropy": ("one_label", lambda: lgb.LGBMRegressor(objective="cross_entropy", **LGB)),
    "entropy_lambda": (
        "one_label",
        lambda: lgb.LGBMRegressor(objective="cross_entropy_lambda", **LGB),
    ),
    "dart": ("breast_cancer", lambda: lgb.LGBMClassifier(boosting_type="dart", **LGB)),
    "forest": (
        "breast_cancer",
        lambda: lgb.LGBMClassifier(
            boosting_type="rf", subsample=0.7, subsample_freq=1, colsample_bytree=0.7, **LGB
        ),
    ),
    "linear_trees": ("diabetes", lambda: lgb.LGBMRegressor(linear_tree=True, **LGB)),
    "ranker": ("diabetes", lambda: lgb.LGBMRanker(**LGB)),
    "towns": ("towns", lambda: lgb.LGBMClassifier(**LGB)),
    "towns_holes": ("towns_holes", lambda: lgb.LGBMClassifier(min_child_samples=5, **LGB)),
    "coded": (
        "coded_holes",
        lambda: lgb.LGBMClassifier(min_child_samples=5, **LGB),
    ),
}
CATBOOST: dict[str, tuple[str, Callable[[], Any]]] = {
    "binary": ("breast_cancer", lambda: CatBoostClassifier(**CAT)),
    "binary_holes": ("breast_cancer_holes", lambda: CatBoostClassifier(**CAT)),
    "holes_last": ("breast_cancer_holes", lambda: CatBoostClassifier(nan_mode="Max", **CAT)),
    "many": ("iris", lambda: CatBoostClassifier(**CAT)),
    "named": ("named", lambda: CatBoostClassifier(**CAT)),
    "words": ("words", lambda: CatBoostClassifier(**CAT)),
    "digits": ("digits", lambda: CatBoostClassifier(**CAT)),
    "each": ("iris", lambda: CatBoostClassifier(loss_function="MultiClassOneVsAll", **CAT)),
    "regressor": ("diabetes", lambda: CatBoostRegressor(**CAT)),
    "regressor_holes": ("diabetes_holes", lambda: CatBoostRegressor(**CAT)),
    "poisson": ("counts", lambda: CatBoostRegressor(loss_function="Poisson", **CAT)),
    "tweedie": (
        "diabetes",
        lambda: CatBoostRegressor(loss_function="Tweedie:variance_power=1.5", **CAT),
    ),
    "quantile": ("diabetes", lambda: CatBoostRegressor(loss_function="Quantile:alpha=0.9", **CAT)),
    "entropy": (
        "one_label",
        lambda: CatBoostClassifier(loss_function="CrossEntropy", **CAT),
    ),
    "two_targets": ("two_targets", lambda: CatBoostRegressor(loss_function="MultiRMSE", **CAT)),
    "two_labels": ("two_labels", lambda: CatBoostClassifier(loss_function="MultiLogloss", **CAT)),
    "uncertain": (
        "diabetes",
        lambda: CatBoostRegressor(loss_function="RMSEWithUncertainty", **CAT),
    ),
    "depthwise": ("diabetes", lambda: CatBoostRegressor(grow_policy="Depthwise", **CAT)),
    "lossguide": ("iris", lambda: CatBoostClassifier(grow_policy="Lossguide", **CAT)),
    "ranker": ("diabetes", lambda: CatBoostRanker(**CAT)),
    "towns": ("towns", lambda: CatBoostClassifier(cat_features=["town"], **CAT)),
}
LIBRARIES = {"xgboost": XGBOOST, "lightgbm": LIGHTGBM, "catboost": CATBOOST}


@cache
def fitted(library: str, name: str) -> Any:
    """A model of LIBRARIES, fitted on every second row of its data."""
    source, make = LIBRARIES[library][name]
    rows, target = data(source)
    rows, target = rows[::2], target[::2]
    if (library, name) == ("lightgbm", "coded"):
        return make().fit(rows, target, categorical_feature=[2, 3])
    if name == "ranker":
        return ranked(make(), rows, target)
    return make().fit(rows, target)


def held_out(library: str, name: str) -> Any:
    """The rows `fitted` has not seen."""
    return data(LIBRARIES[library][name][0])[0][1::2]


def native(model: Any, form: str = "ubj") -> bytes:
    """The model in its library's own format; XGBoost has two, "ubj" and "json"."""
    if isinstance(model, lgb.LGBMModel):
        return model.booster_.model_to_string().encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{form if isinstance(model, xgb.XGBModel) else 'cbm'}"
        model.save_model(str(path))
        return path.read_bytes()


def pickled(model: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def models() -> dict[str, tuple[Any, Any]]:
    """A classifier and a regressor of each library."""
    return {
        "xgboost": (xgb.XGBClassifier(**XGB), xgb.XGBRegressor(**XGB)),
        "lightgbm": (lgb.LGBMClassifier(**LGB), lgb.LGBMRegressor(**LGB)),
        "catboost": (CatBoostClassifier(**CAT), CatBoostRegressor(**CAT)),
    }


def mixed(model: Any, *, sparse: bool) -> Any:
    """A pipeline for `artifacts.people`: `sparse` is what OneHotEncoder makes by itself."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=sparse)
    table = ColumnTransformer(
        [("numbers", numbers, ["age", "income"]), ("words", words, ["city", "job"])],
        sparse_threshold=1.0 if sparse else 0.0,
    )
    return make_pipeline(table, model)


# name: (whether it takes the regressor, what is made of the model)
WRAPPERS: dict[str, tuple[bool, Callable[[Any], Any]]] = {
    "scaled": (False, lambda model: make_pipeline(StandardScaler(), model)),
    "imputed": (True, lambda model: make_pipeline(SimpleImputer(), model)),
    "search": (False, lambda model: GridSearchCV(model, {"learning_rate": [0.1, 0.3]}, cv=2)),
    "calibrated": (False, lambda model: CalibratedClassifierCV(model, cv=2)),
    "voting": (
        False,
        lambda model: VotingClassifier(
            [("one", model), ("other", LogisticRegression(max_iter=500))], voting="soft"
        ),
    ),
    "stacked": (
        True,
        lambda model: StackingRegressor([("one", model), ("other", LinearRegression())], cv=2),
    ),
    "each_output": (True, lambda model: MultiOutputRegressor(model)),
    "against_rest": (False, lambda model: OneVsRestClassifier(model)),
    "bagged": (False, lambda model: BaggingClassifier(model, 3, random_state=0)),
    "selected": (False, lambda model: make_pipeline(SelectKBest(k=2), model)),
}


@cache
def wrapped(library: str, name: str) -> Any:
    """One of WRAPPERS around a model of this library, fitted."""
    is_regressor, wrap = WRAPPERS[name]
    rows, target = data("iris" if not is_regressor else "diabetes")
    if name == "each_output":
        rows, target = data("two_targets")
    return wrap(models()[library][is_regressor]).fit(rows[::2], target[::2])


def wrapped_rows(name: str) -> np.ndarray:
    return data("diabetes" if WRAPPERS[name][0] else "iris")[0][1::2]
