"""Models as people make them: uploaded, admitted and asked by HTTP, they answer as themselves.

Labels exactly, probabilities and regressions to 1e-5 relative, on rows held out of the fit.
"""

import io
import json
import pickle
from dataclasses import dataclass
from functools import cache

import joblib
import numpy as np
import pandas as pd
import pytest
from django.utils.timezone import now
from sklearn import datasets
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from registry import admission
from registry.models import ModelVersion
from tests.factories import make_version


@dataclass(frozen=True)
class Case:
    model: object
    rows: object  # held out: a matrix or a data frame


def penguins(count=600):
    """Mixed columns with gaps, as a spreadsheet has them."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "bill_length": random.normal(44, 5, count),
            "island": random.choice(["Torgersen", "Biscoe", "Dream"], count).astype(object),
            "body_mass": random.normal(4200, 800, count),
            "sex": random.choice(["female", "male"], count).astype(object),
        }
    )
    species = np.where(frame.bill_length + frame.body_mass / 400 > 55, "Gentoo", "Adelie")
    for column in frame:
        frame.loc[random.random(count) < 0.1, column] = np.nan
    return frame, species


def mixed_pipeline():
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore"),
    )
    columns = ColumnTransformer(
        [("numbers", numbers, ["bill_length", "body_mass"]), ("words", words, ["island", "sex"])]
    )
    return make_pipeline(columns, LogisticRegression(max_iter=500))


def spreadsheet():
    """Mixed columns; one of them, a comment, is not for the model."""
    frame, species = penguins()
    return frame.fillna({"island": "Dream", "sex": "male"}).assign(comment="none"), species


def boosted_categories():
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer(
        [("words", encoder, ["island", "sex"]), ("numbers", "passthrough", ["body_mass"])]
    )
    model = HistGradientBoostingClassifier(max_iter=10, categorical_features=[0, 1])
    return make_pipeline(columns, model)


def encoded_by_target():
    columns = ColumnTransformer(
        [
            ("words", TargetEncoder(), ["island", "sex"]),
            ("numbers", SimpleImputer(add_indicator=True), ["body_mass", "bill_length"]),
        ]
    )
    return make_pipeline(columns, StandardScaler(), LogisticRegression())


def reviews():
    random = np.random.default_rng(0)
    words = ["good", "bad", "great", "awful", "film", "plot", "actor", "dull", "fine"]
    texts = [" ".join(random.choice(words, 6)) for _ in range(200)]
    return texts, np.array(["good" in text or "great" in text for text in texts])


def two_targets():
    rows, target = datasets.load_diabetes(return_X_y=True)
    return rows, np.column_stack([target, -2 * target])


LOADERS = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "iris_frame": lambda: datasets.load_iris(return_X_y=True, as_frame=True),
    "cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True, as_frame=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "diabetes_frame": lambda: datasets.load_diabetes(return_X_y=True, as_frame=True),
    "two_targets": two_targets,
    "penguins": penguins,
    "spreadsheet": spreadsheet,
    "reviews": reviews,
}
CASES = {
    "logistic": ("iris_frame", lambda: LogisticRegression(max_iter=2000)),
    "logistic unscaled": ("cancer", lambda: LogisticRegression(max_iter=5000)),
    "tree": ("wine", lambda: DecisionTreeClassifier(random_state=0)),
    "forest": ("cancer", lambda: RandomForestClassifier(random_state=0)),
    "forest of digits": ("digits", lambda: RandomForestClassifier(30, random_state=0)),
    "histogram boosting": ("wine", lambda: HistGradientBoostingClassifier(max_iter=30)),
    "histogram boosting of two": ("cancer", lambda: HistGradientBoostingClassifier(max_iter=30)),
    "boosting": ("iris", lambda: GradientBoostingClassifier(n_estimators=30, random_state=0)),
    "svc": ("iris", lambda: SVC()),
    "scaled svc": ("cancer", lambda: make_pipeline(StandardScaler(), SVC())),
    "nearest neighbours": ("wine", lambda: KNeighborsClassifier()),
    "neural network": (
        "digits",
        lambda: make_pipeline(StandardScaler(), MLPClassifier((20,), max_iter=60, random_state=0)),
    ),
    "isolation forest": ("cancer", lambda: IsolationForest(n_estimators=50, random_state=0)),
    "mixed columns": ("penguins", mixed_pipeline),
    "linear regression": ("diabetes_frame", lambda: LinearRegression()),
    "forest regression": ("diabetes", lambda: RandomForestRegressor(50, random_state=0)),
    "boosted regression": ("diabetes", lambda: GradientBoostingRegressor(random_state=0)),
    "histogram regression": ("diabetes_frame", lambda: HistGradientBoostingRegressor(max_iter=30)),
    "support vector regression": ("diabetes", lambda: make_pipeline(StandardScaler(), SVR())),
    "neighbours regression": ("diabetes", lambda: KNeighborsRegressor()),
    "network regression": (
        "diabetes",
        lambda: make_pipeline(
            StandardScaler(), MLPRegressor(hidden_layer_sizes=(10,), max_iter=60, random_state=0)
        ),
    ),
    # Fitted on several cores: it would ask for as many threads again.
    "clusters": ("iris", lambda: KMeans(3, n_init=2, random_state=0)),
    "nearest by distance": (
        "wine",
        lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(weights="distance")),
    ),
    "calibrated": (
        "cancer",
        lambda: CalibratedClassifierCV(RandomForestClassifier(8, random_state=0), cv=2),
    ),
    "a threshold of its own": (
        "cancer",
        lambda: FixedThresholdClassifier(
            make_pipeline(StandardScaler(), LogisticRegression()), threshold=0.3
        ),
    ),
    "splits by category": ("spreadsheet", lambda: boosted_categories()),
    "encoded by target": ("spreadsheet", lambda: encoded_by_target()),
    "log of the target": (
        "diabetes_frame",
        lambda: TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
    ),
    "bins": ("wine", lambda: make_pipeline(KBinsDiscretizer(4), LogisticRegression())),
    "adaboost": ("wine", lambda: AdaBoostClassifier(n_estimators=8, random_state=0)),
    "hard votes": (
        "iris",
        lambda: VotingClassifier([("tree", DecisionTreeClassifier()), ("bayes", GaussianNB())]),
    ),
    "mixture": ("iris", lambda: GaussianMixture(3, random_state=0)),
    "words": ("reviews", lambda: make_pipeline(TfidfVectorizer(), LogisticRegression())),
    "two targets": ("two_targets", lambda: LinearRegression()),
    "forest of two targets": ("two_targets", lambda: RandomForestRegressor(20, random_state=0)),
}


@cache
def case(name):
    dataset, make = CASES[name]
    rows, target = LOADERS[dataset]()
    fit_rows, held_out, fit_target, _ = train_test_split(rows, target, test_size=40, random_state=1)
    return Case(make().fit(fit_rows, fit_target), held_out)


def joblib_plain(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def joblib_compressed(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=("gzip", 3))
    return buffer.getvalue()


SAVERS = [joblib_plain, joblib_compressed, pickle.dumps]


def as_json(rows):
    if isinstance(rows, pd.DataFrame):
        records = rows.to_dict("records")
        return [{k: None if pd.isna(v) else v for k, v in record.items()} for record in records]
    return [[text] for text in rows] if isinstance(rows, list) else rows.tolist()


def assert_same(answer, model, rows):
    expected = model.predict(rows)
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(answer["predictions"], expected, rtol=1e-5)
    else:
        assert answer["predictions"] == expected.tolist()
    if hasattr(model, "predict_proba"):
        classes = getattr(model, "classes_", np.arange(model.predict_proba(rows[:1]).shape[1]))
        labels = [
            label if isinstance(label, str) else json.dumps(label) for label in classes.tolist()
        ]
        found = [[row[label] for label in labels] for row in answer["probabilities"]]
        np.testing.assert_allclose(found, model.predict_proba(rows), rtol=1e-5, atol=1e-12)
    else:
        assert answer["probabilities"] is None


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", CASES)
def test_it_answers_as_the_model_itself(name, alice, organization, client_of):
    made = case(name)
    save = SAVERS[list(CASES).index(name) % len(SAVERS)]
    version = make_version(organization, alice, name="asked", content=save(made.model))
    admission.admit(version.pk, at=now())
    version.refresh_from_db()
    assert version.status == ModelVersion.Status.READY, version.reason
    client = client_of(alice)

    rows = as_json(made.rows)
    response = client.post("/api/v1/predict/asked", {"inputs": rows}, format="json")

    assert response.status_code == 200, response.json()
    assert_same(response.json(), made.model, made.rows)
    single = client.post(
        "/api/v1/predict/asked",
        {"input": rows[0]},
        format="json",
        headers={"Cache-Control": "no-cache"},
    ).json()
    many = response.json()["predictions"][0]
    assert single["prediction"] == (
        pytest.approx(many, rel=1e-9) if type(many) is not str else many
    )


@pytest.mark.parametrize("save", SAVERS)
def test_every_way_of_saving_is_read(save, alice, organization):
    version = make_version(organization, alice, content=save(case("logistic").model))

    admission.admit(version.pk, at=now())

    version.refresh_from_db()
    assert (version.status, version.runtime) == ("ready", "graph")
