"""Boosters as people save them: uploaded, admitted and asked by HTTP, they answer as themselves."""

import catboost
import cloudpickle
import numpy as np
import pandas as pd
import pytest
from django.utils.timezone import now
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV

from registry import admission
from registry.models import ModelVersion
from tests import artifacts, boosters
from tests.factories import make_version
from tests.inference.test_real_models import as_json, assert_same

NAMES = ("binary_holes", "many", "named", "regressor", "poisson", "ranker")


@pytest.fixture
def admitted(alice, organization):
    def admit(content):
        version = make_version(organization, alice, name="asked", content=content)
        admission.admit(version.pk, at=now())
        version.refresh_from_db()
        return version

    return admit


@pytest.fixture
def ask(alice, client_of):
    def ask_rows(rows):
        response = client_of(alice).post("/api/v1/predict/asked", {"inputs": rows}, format="json")
        assert response.status_code == 200, response.json()
        return response.json()

    return ask_rows


def rows_of(library, name, count=25):
    rows = boosters.held_out(library, name)[:count]
    if isinstance(rows, pd.DataFrame):
        # LightGBM writes a name's spaces as underscores.
        known = rows.rename(columns=lambda name: name.replace(" ", "_"))
        return as_json(known if library == "lightgbm" else rows), rows
    return [[None if one != one else one for one in row] for row in rows.tolist()], rows


@pytest.mark.parametrize("library", boosters.LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("save", [boosters.native, boosters.pickled])
def test_it_answers_as_the_library(library, name, save, admitted, ask):
    model = boosters.fitted(library, name)
    version = admitted(save(model))
    assert version.status == ModelVersion.Status.READY, version.reason
    assert version.runtime == "graph", version.parity
    sent, rows = rows_of(library, name)

    assert_same(ask(sent), Flat(model), rows)


class Flat:
    """CatBoost puts each of more than two labels into a row of its own: not here."""

    def __init__(self, model):
        self.predict = lambda rows: np.asarray(model.predict(rows)).reshape(len(rows))
        if hasattr(model, "predict_proba"):
            self.predict_proba, self.classes_ = model.predict_proba, model.classes_


@pytest.mark.parametrize("library", boosters.LIBRARIES)
def test_a_pipeline_with_words(library, admitted, ask):
    table, target = artifacts.people()
    model = boosters.mixed(boosters.models()[library][0], sparse=True)
    model.fit(table[:200], np.unique(target, return_inverse=True)[1][:200])
    version = admitted(cloudpickle.dumps(model))
    assert (version.status, version.runtime) == ("ready", "graph"), version.reason

    assert_same(ask(as_json(table[200:220])), model, table[200:220])


@pytest.mark.parametrize("library", boosters.LIBRARIES)
def test_categories_of_a_data_frame(library, admitted, ask):
    model = boosters.fitted(library, "towns")
    for content in (boosters.native(model), boosters.pickled(model)):
        version = admitted(content)
        assert version.status == "ready", version.reason
        rows = boosters.held_out(library, "towns")[:20]

        answer = ask(rows.astype({"town": str}).to_dict("records"))

        assert_same(answer, model, rows)


@pytest.mark.parametrize("library", boosters.LIBRARIES)
def test_what_was_fitted_on_many_threads_answers_on_one(library, admitted, ask):
    """Alone, deep inside wrappers, and asked for many rows at once."""
    model = boosters.models()[library][0]
    threads = "thread_count" if library == "catboost" else "n_jobs"
    model.set_params(**{threads: 4})
    rows, target = boosters.data("breast_cancer")
    search = GridSearchCV(CalibratedClassifierCV(model, cv=2), {"method": ["sigmoid"]}, cv=2)
    search.fit(rows[::2], target[::2])
    version = admitted(boosters.pickled(search))
    assert version.status == "ready", version.reason

    assert_same(ask(rows[1::2][:200].tolist()), search, rows[1::2][:200])


def test_a_catboost_that_is_not_compiled_answers_many_rows(admitted, ask):
    model = boosters.fitted("catboost", "towns")
    version = admitted(boosters.native(model))
    rows = boosters.held_out("catboost", "towns")
    assert (version.status, version.runtime) == ("ready", "estimator"), version.reason

    answer = ask(rows.astype({"town": str}).to_dict("records"))

    assert answer["predictions"] == model.predict(rows).tolist()


@pytest.mark.parametrize("library", ["xgboost", "catboost"])
def test_several_labels_a_row(library, admitted, ask):
    model = boosters.fitted(library, "two_labels")
    rows = boosters.held_out(library, "two_labels")
    for content in (boosters.native(model), boosters.pickled(model)):
        version = admitted(content)
        assert (version.status, version.runtime) == ("ready", "graph"), version.reason

        answer = ask(rows.tolist())

        assert answer["predictions"] == model.predict(rows).tolist()
        assert answer["probabilities"] is None


def test_labels_of_a_catboost_file_are_its_own(admitted, ask):
    rows, target = boosters.data("words")
    model = catboost.CatBoostClassifier(**boosters.CAT).fit(rows, target)
    version = admitted(boosters.native(model))
    assert version.status == "ready", version.reason

    assert ask(rows[:3].tolist())["predictions"] == ["setosa"] * 3


@pytest.mark.parametrize(
    ("library", "old", "new"),
    [
        ("xgboost", b'"left_children":[1,', b'"left_children":[99999999,'),
        ("lightgbm", b"num_leaves=", b"num_leaves=-"),
    ],
)
def test_a_crash_of_the_library_is_told_and_harms_nothing(library, old, new, admitted):
    content = boosters.native(boosters.fitted(library, "regressor"), "json")
    assert old in content

    crashed = admitted(content.replace(old, new))
    honest = admitted(content)

    assert (crashed.status, crashed.reason_code) == ("rejected", "model_crashed")
    assert crashed.reason.startswith("The model's library crashed while opening the file.")
    assert honest.status == "ready"
