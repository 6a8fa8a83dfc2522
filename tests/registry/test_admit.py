"""registry.admission.admit, with the real runner"""

import os
import pickle
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from django.test import override_settings
from django.utils.timezone import now
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import ClassifierChain
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from registry import admission
from registry.artifacts import name_of
from registry.models import ModelVersion
from registry.sandbox import Inspection, Runner
from registry.tasks import request_waiting
from tests.factories import (
    IRIS_COLUMNS,
    dumped,
    iris_pipeline,
    make_ready_version,
    make_version,
)


class Payload:
    """A pickle that calls `function(*arguments)` when it is opened."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def admitted(version):
    admission.admit(version.pk, at=now())
    version.refresh_from_db()
    return version


def test_it_works(alice, organization, stored):
    version = admitted(make_version(organization, alice))

    assert (version.status, version.runtime, version.reason) == ("ready", "graph", "")
    assert stored(name_of(version.graph_digest))
    assert [column["name"] for column in version.signature["inputs"]] == IRIS_COLUMNS
    assert version.signature["outputs"]["predict_proba"]["classes"] == [
        ["setosa", "versicolor", "virginica"]
    ]
    assert version.parity["labels_equal"] == 1.0
    assert version.parity["rows"] == 2000
    assert version.parity["speedup"] > 1
    assert version.golden["predict"] in ("setosa", "versicolor", "virginica")
    assert version.facts["final"] == "LogisticRegression"


def test_the_first_ready_version_answers_and_later_ones_wait(alice, organization):
    first = make_ready_version(organization, alice)
    second = make_ready_version(organization, alice)

    champion = second.model.aliases.get(name="champion")
    assert (second.number, champion.version) == (2, first)


def test_what_does_not_compile_is_served_by_its_own_library(alice, organization):
    model = KNeighborsClassifier().fit([[0.0], [1.0], [2.0], [3.0], [4.0]], [0, 0, 1, 1, 1])

    version = make_ready_version(organization, alice, model=model)

    assert version.runtime in ("estimator", "graph")
    if version.runtime == "estimator":
        assert version.graph_digest == ""
        assert version.parity["reason"] != ""


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"not a model at all", "unreadable"),
        (pickle.dumps({"a": 1}), "not_an_estimator"),
        (pickle.dumps(iris_pipeline())[:500], "unreadable"),
        (pickle.dumps(Payload(os.system, "true")), "hostile"),
    ],
)
def test_a_file_that_is_no_model_is_rejected_with_a_reason(alice, organization, content, code):
    version = admitted(make_version(organization, alice, content=content))

    assert (version.status, version.reason_code) == ("rejected", code)
    assert len(version.reason) > 20
    assert not version.model.aliases.exists()


@override_settings(ADMISSION_DEADLINE_SECONDS=2)
def test_a_model_that_does_not_end_is_rejected_within_its_deadline(alice, organization):
    endless = pickle.dumps(
        Payload(
            pow,
            3,
            10**9,
        )
    )

    version = admitted(make_version(organization, alice, content=endless))

    assert (version.status, version.reason_code) == ("rejected", "model_timed_out")


def test_a_rejected_second_version_leaves_the_first_serving(alice, organization):
    first = make_ready_version(organization, alice)

    second = admitted(make_version(organization, alice, content=b"broken"))

    assert second.status == "rejected"
    assert first.model.aliases.get(name="champion").version == first


def test_without_a_runner_the_version_waits_and_is_asked_for_again(alice, organization):
    version = make_version(organization, alice)

    with override_settings(RUNNER_SOCKET="/nonexistent/runner.sock"):
        admitted(version)

    assert (version.status, version.reason_code) == ("pending", "runner_unavailable")
    assert version.attempts == 0
    assert request_waiting(at=now()) == 1
    assert admitted(version).status == "ready"


def test_a_version_whose_worker_died_is_taken_up_again(alice, organization):
    version = make_version(organization, alice)
    ModelVersion.objects.all().claim(version.pk, at=now() - timedelta(minutes=6))

    assert admitted(version).status == "ready"
    assert version.attempts == 2


def test_a_version_that_kills_every_worker_is_given_up(alice, organization):
    version = make_version(organization, alice)
    for minutes in (24, 18, 12):
        ModelVersion.objects.all().claim(version.pk, at=now() - timedelta(minutes=minutes))

    assert admitted(version).reason_code == "gave_up"


def test_a_number_that_is_a_category_is_checked_as_one(alice, organization, client_of):
    model = make_pipeline(OneHotEncoder(), LogisticRegression())
    version = make_ready_version(
        organization, alice, model=model.fit([[1], [2], [3]] * 4, ["a", "b", "c"] * 4)
    )
    client = client_of(alice)

    assert version.runtime == "graph"
    known = client.post("/api/v1/predict/iris", {"input": [2]}, format="json")
    assert known.json()["prediction"] == "b"
    unseen = client.post("/api/v1/predict/iris", {"input": [4]}, format="json")
    assert (unseen.status_code, unseen.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    "forged",
    [
        {"hints": 5},
        {"hints": ["x"]},
        {"hints": [{"splits": 5}]},
        {"estimator": "x"},
        {"scan": ["x"]},
        {"signature": {}},
        {"methods": None},
    ],
    ids=str,
)
def test_a_forged_report_ends_the_admission(alice, organization, monkeypatch, forged):
    inspect = Runner.inspect

    def lie(*arguments, **options):
        told = inspect(*arguments, **options)
        return Inspection({**told.report, **forged}, told.graphs)

    monkeypatch.setattr(Runner, "inspect", lie)
    version = admitted(make_version(organization, alice))

    assert version.status in ("ready", "rejected")


def test_labels_that_look_alike_are_told(alice, organization):
    model = LogisticRegression().fit([[0.0], [1.0]], ["a", "a\u200b"])

    version = admitted(make_version(organization, alice, content=dumped(model)))

    assert (version.status, version.reason_code) == ("rejected", "bad_reply")
    assert "look the same" in version.reason


def test_labels_that_are_dates_are_dates(alice, organization, client_of):
    days = np.array(["2020-01-01", "2021-01-01"] * 5, dtype="datetime64[D]")
    model = DecisionTreeClassifier().fit([[0.0], [1.0]] * 5, days)
    make_ready_version(organization, alice, model=model)

    answer = client_of(alice).post("/api/v1/predict/iris", {"input": [1]}, format="json").json()

    assert answer["prediction"] == "2021-01-01"
    assert answer["probabilities"] == {"2020-01-01": 0.0, "2021-01-01": 1.0}


def test_columns_keep_the_names_they_were_fitted_with(alice, organization, client_of):
    """A byte order mark and a line break are hidden from people, not from the estimator."""
    rows = pd.DataFrame({"\ufeffid": [0.0, 1.0, 2.0, 3.0], "income\n(USD)": [1.0, 2.0, 3.0, 4.0]})
    model = KNeighborsClassifier(n_neighbors=1).fit(rows, [0, 0, 1, 1])
    version = make_ready_version(organization, alice, model=model)

    names = [column["name"] for column in version.signature["inputs"]]
    answer = client_of(alice).post(
        "/api/v1/predict/iris", {"input": dict(zip(names, [3, 4], strict=True))}, format="json"
    )

    assert answer.json()["prediction"] == 1


def test_a_chain_of_classifiers_serves(alice, organization):
    chain = ClassifierChain(LogisticRegression()).fit(
        [[0.0], [1.0], [2.0]], [[0, 1], [1, 0], [1, 1]]
    )

    assert make_ready_version(organization, alice, model=chain).runtime == "graph"
