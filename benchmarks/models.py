"""The three models every server is measured with, and rows to ask them.

iris: logistic regression on 4 columns. forest: 200 trees on 30 columns. mixed: a
ColumnTransformer over numbers and strings, before a logistic regression.
"""

import random
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NAMES = ("iris", "forest", "mixed")
CITIES = [f"city {number}" for number in range(30)]
JOBS = ["clerk", "smith", "nurse", "pilot"]


def fitted(name: str) -> Any:
    return {"iris": _iris, "forest": _forest, "mixed": _mixed}[name]()


def rows(name: str, count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of named values, no two alike, so that no server answers from a cache."""
    draw = random.Random(seed)
    if name == "mixed":
        return [_person(draw) for _ in range(count)]
    table = _iris_table() if name == "iris" else _cells()
    return [
        {column: draw.uniform(low, high) for column, (low, high) in _ranges(table).items()}
        for _ in range(count)
    ]


def _iris() -> Any:
    return LogisticRegression(max_iter=1000).fit(_iris_table(), load_iris().target)


def _forest() -> Any:
    forest = RandomForestClassifier(n_estimators=200, random_state=0, n_jobs=1)
    return forest.fit(_cells(), load_breast_cancer().target)


def _mixed() -> Any:
    draw = random.Random(1)
    table = pd.DataFrame([_person(draw) for _ in range(2000)])
    bought = (table["age"] + 20 * (table["job"] == "pilot") > np.median(table["age"])).astype(int)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer(
        (numbers, ["age", "income"]), (words, ["city", "job"]), remainder="drop"
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(table, bought)


def _person(draw: random.Random) -> dict[str, Any]:
    return {
        "age": draw.uniform(18, 90),
        "income": draw.uniform(1_000, 100_000),
        "city": draw.choice(CITIES),
        "job": draw.choice(JOBS),
    }


def _iris_table() -> pd.DataFrame:
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    return load_iris(as_frame=True).data.set_axis(names, axis=1)


def _cells() -> pd.DataFrame:
    table = load_breast_cancer(as_frame=True).data
    return table.set_axis([name.replace(" ", "_") for name in table.columns], axis=1)


def _ranges(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    return {str(name): (table[name].min(), table[name].max()) for name in table.columns}
