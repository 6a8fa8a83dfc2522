"""Model files for tests: real estimators fitted on scikit-learn's data, and hostile pickles.

Nothing here does harm when it runs: what hostile files call only makes a folder
or reads the process's number.
"""

import bz2
import io
import os
import pickle
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import joblib
import numpy as np
import pandas as pd
import skl2onnx
from sklearn import (
    compose,
    datasets,
    ensemble,
    impute,
    linear_model,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
)
from sklearn.multioutput import MultiOutputRegressor

COMPRESSIONS = {"zlib": 3, "gzip": ("gzip", 3), "bz2": ("bz2", 3), "xz": ("xz", 3)}


def dump(model: Any, how: str = "joblib") -> bytes:
    """`model` as the bytes of a file: joblib, pickle, pickle0 … pickle5, or a compression."""
    if how.startswith("pickle"):
        return pickle.dumps(model, protocol=int(how.removeprefix("pickle") or "4"))
    file = io.BytesIO()
    joblib.dump(
        model,
        file,
        compress=COMPRESSIONS["zlib" if how == "compressed" else how] if how != "joblib" else 0,
    )
    return file.getvalue()


@cache
def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows and targets of one of scikit-learn's own data sets."""
    return getattr(datasets, f"load_{name}")(return_X_y=True)


def people() -> tuple[pd.DataFrame, np.ndarray]:
    """A table with numbers, strings and missing values of both, and a target of strings."""
    made = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": made.integers(18, 90, 300).astype(float),
            "income": made.lognormal(10, 1, 300),
            "city": made.choice(["Oslo", "Bergen", "Rome"], 300),
            "job": made.choice(["cook", "nurse"], 300),
        }
    )
    table.loc[::7, "age"] = np.nan
    table.loc[::5, "city"] = None
    old = table["age"].fillna(50) > 50
    return table, np.where(old ^ (table["city"] == "Rome"), "yes", "no")


def mixed_pipeline(model: Any) -> Any:
    """The usual pipeline for such a table, unfitted."""
    numbers = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    strings = pipeline.make_pipeline(
        impute.SimpleImputer(strategy="most_frequent"),
        preprocessing.OneHotEncoder(handle_unknown="ignore"),
    )
    columns = compose.ColumnTransformer(
        [("numbers", numbers, ["age", "income"]), ("strings", strings, ["city", "job"])]
    )
    return pipeline.make_pipeline(columns, model)


def scaled(model: Any) -> Any:
    return pipeline.make_pipeline(preprocessing.StandardScaler(), model)


# name: (the data set, an unfitted estimator)
NUMERIC: dict[str, tuple[str, Callable[[], Any]]] = {
    "logistic": ("iris", lambda: linear_model.LogisticRegression(max_iter=500)),
    "scaled_logistic": ("breast_cancer", lambda: scaled(linear_model.LogisticRegression())),
    "forest": ("breast_cancer", lambda: ensemble.RandomForestClassifier(20, random_state=0)),
    "forest_digits": ("digits", lambda: ensemble.RandomForestClassifier(10, random_state=0)),
    "extra_trees": ("wine", lambda: ensemble.ExtraTreesClassifier(20, random_state=0)),
    "histogram": (
        "breast_cancer",
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=20, random_state=0),
    ),
    "histogram_many": (
        "wine",
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=10, random_state=0),
    ),
    "histogram_regressor": (
        "diabetes",
        lambda: ensemble.HistGradientBoostingRegressor(max_iter=20, random_state=0),
    ),
    "boosting": (
        "breast_cancer",
        lambda: ensemble.GradientBoostingClassifier(n_estimators=15, random_state=0),
    ),
    "boosting_many": (
        "iris",
        lambda: ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0),
    ),
    "boosting_regressor": (
        "diabetes",
        lambda: ensemble.GradientBoostingRegressor(n_estimators=20, random_state=0),
    ),
    "vectors": ("wine", lambda: scaled(svm.SVC())),
    "vectors_two": ("breast_cancer", lambda: svm.SVC(kernel="poly")),
    "vectors_regressor": ("diabetes", lambda: svm.SVR(C=50)),
    "perceptron": (
        "iris",
        lambda: scaled(neural_network.MLPClassifier((8,), max_iter=100, random_state=0)),
    ),
    "isolation": ("iris", lambda: ensemble.IsolationForest(n_estimators=20, random_state=0)),
    "linear": ("diabetes", lambda: linear_model.LinearRegression()),
    "imputed_forest": (
        "wine",
        lambda: pipeline.make_pipeline(
            impute.SimpleImputer(), ensemble.RandomForestClassifier(10, random_state=0)
        ),
    ),
    "neighbors": ("iris", lambda: neighbors.KNeighborsClassifier()),
    "two_outputs": (
        "diabetes",
        lambda: MultiOutputRegressor(
            ensemble.GradientBoostingRegressor(n_estimators=5, random_state=0)
        ),
    ),
    "forest_two_outputs": (
        "diabetes",
        lambda: ensemble.RandomForestRegressor(10, random_state=0),
    ),
}


@cache
def fitted(name: str) -> Any:
    """One of NUMERIC, fitted on every second row of its data."""
    source, make = NUMERIC[name]
    rows, target = data(source)
    if name.endswith("two_outputs"):
        target = np.column_stack([target, np.sqrt(target)])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # few iterations are enough here
        return make().fit(rows[::2], target[::2])


@cache
def graph_of(name: str) -> bytes:
    """The same as users of skl2onnx export it."""
    rows = data(NUMERIC[name][0])[0][:1].astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it reads attributes that scikit-learn gave up
        return skl2onnx.to_onnx(fitted(name), rows).SerializeToString()


def held_out(name: str) -> np.ndarray:
    """The rows `fitted(name)` has not seen."""
    return data(NUMERIC[name][0])[0][1::2]


@cache
def fitted_mixed() -> Any:
    table, target = people()
    return mixed_pipeline(linear_model.LogisticRegression()).fit(table[:200], target[:200])


class Calling:
    """Pickles to a call of `function` with `arguments`."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable, tuple]:
        return self.function, self.arguments


class InsideArray:
    """Pickles to a model whose object array hides `hidden` (joblib nests a raw pickle)."""

    def __new__(cls, hidden: Any) -> np.ndarray:  # type: ignore[misc]
        array = np.empty(1, dtype=object)
        array[0] = hidden
        return array


def hostile(folder: str) -> dict[str, bytes]:
    """Files that would make `folder` or look around when opened."""
    call = Calling(os.mkdir, folder)
    model = linear_model.LogisticRegression()
    model.coef_ = call
    return {
        "mkdir": dump(call, "pickle"),
        "mkdir_old_protocol": dump(call, "pickle0"),
        "inside_a_model": dump(model, "joblib"),
        "compressed": dump(call, "compressed"),
        "bz2_by_hand": bz2.compress(dump(call, "pickle")),
        "in_an_object_array": dump(InsideArray(call), "joblib"),
        "getpid": dump(Calling(os.getpid), "pickle"),
        "eval": dump(Calling(eval, "1 + 1"), "pickle"),
        "open": dump(Calling(open, "/etc/hostname"), "pickle"),
        "reads_a_file": dump(Calling(np.fromfile, "/etc/hostname"), "pickle"),
    }


class OwnTransformer:
    """Stands for a class that lives only in its author's notebook."""

    def predict(self, rows: Any) -> Any:
        return rows


def needing(module: str, name: str) -> bytes:
    """A pickle that wants `name` from `module`."""
    return f"c{module}\n{name}\n.".encode()
