"""The steps of an admission, as the API tells them while it goes on"""

import pickle
from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.test import override_settings
from django.utils.timezone import now
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from registry import admission
from registry.models import ModelVersion
from registry.sandbox import Runner
from registry.steps import NAMES
from tests.factories import make_ready_version, make_version

ADMITTED = {**dict.fromkeys(NAMES, "done"), "sample": "skipped"}


def states(version):
    version.refresh_from_db()
    return {step["name"]: step["state"] for step in version.steps}


def admitted(version):
    admission.admit(version.pk, at=now())
    return states(version)


def test_it_works(alice, organization, client_of):
    version = make_ready_version(organization, alice)

    told = client_of(alice).get("/api/v1/models/iris/versions/1").json()["steps"]

    assert [step["name"] for step in told] == list(NAMES)
    assert {step["name"]: step["state"] for step in told} == ADMITTED
    assert told[-1]["note"] == "the graph answers as the original does"
    assert told[0]["started_at"] < told[1]["started_at"] < told[2]["started_at"]
    assert sum(step["seconds"] or 0 for step in told) <= version.facts["admission_seconds"] + 0.01


def test_a_version_that_waits_has_been_received(alice, organization):
    version = make_version(organization, alice)

    assert states(version) == {"received": "done", **dict.fromkeys(NAMES[1:], "waiting")}


def test_a_failure_says_where_and_why(alice, organization):
    version = make_version(organization, alice, content=pickle.dumps({"a": 1}))

    assert admitted(version) == {
        "received": "done",
        "scanned": "done",
        "opened": "failed",
        **dict.fromkeys(NAMES[3:], "skipped"),
    }
    assert version.steps[2]["note"] == version.reason


def test_a_forged_signature_fails_at_the_signature(alice, organization, monkeypatch):
    inspect = Runner.inspect

    def lie(*arguments, **options):
        told = inspect(*arguments, **options)
        told.report["signature"] = {}
        return told

    monkeypatch.setattr(Runner, "inspect", lie)

    assert admitted(make_version(organization, alice))["signature"] == "failed"


@pytest.mark.parametrize("claimed", [-1, 1e300])
def test_how_long_a_child_says_it_took_is_bounded(alice, organization, monkeypatch, claimed):
    inspect = Runner.inspect

    def lie(*arguments, **options):
        told = inspect(*arguments, **options)
        told.report["seconds"] = {"signature": claimed, "compiled": claimed}
        return told

    monkeypatch.setattr(Runner, "inspect", lie)
    version = make_version(organization, alice)

    assert admitted(version)["verified"] == "done"
    assert all(0 <= step["seconds"] < 60 for step in version.steps[1:])


def test_what_does_not_compile_skips_that_step(alice, organization):
    model = make_pipeline(FunctionTransformer(), KNeighborsClassifier(3, metric="canberra"))
    model.fit([[0.0], [1.0], [2.0], [3.0], [4.0]], [0, 0, 1, 1, 1])
    version = make_ready_version(organization, alice, model=model)

    if version.runtime == "estimator":
        compiled = version.steps[NAMES.index("compiled")]
        assert (compiled["state"], compiled["note"]) == ("skipped", version.parity["reason"])


def test_without_a_runner_the_step_waits_and_says_for_what(alice, organization):
    version = make_version(organization, alice)

    with override_settings(RUNNER_SOCKET="/nonexistent/runner.sock"):
        told = admitted(version)

    assert told["scanned"] == "waiting"
    assert version.steps[1]["note"] == "The sandboxed runner does not answer."


def test_steps_that_together_take_too_long_are_a_rejection(alice, organization, monkeypatch):
    """As Celery interrupts a task before it would kill the worker."""

    def interrupt(*arguments, **options):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(Runner, "inspect", interrupt)
    version = make_version(organization, alice)

    assert admitted(version)["opened"] == "failed"
    assert version.reason_code == "model_timed_out"


def test_steps_are_written_while_the_model_is_opened(alice, organization, monkeypatch):
    version = make_version(organization, alice)
    seen = {}
    inspect = Runner.inspect

    def look(*arguments, **options):
        seen.update(states(ModelVersion.objects.get(pk=version.pk)))
        return inspect(*arguments, **options)

    monkeypatch.setattr(Runner, "inspect", look)
    admitted(version)

    assert (seen["scanned"], seen["opened"], seen["verified"]) == ("done", "running", "waiting")


def test_another_worker_begins_anew(alice, organization):
    version = make_version(organization, alice)
    ModelVersion.objects.all().claim(version.pk, at=now() - timedelta(minutes=1))
    version.refresh_from_db()
    version.steps[1].update(state="running", note="left behind")
    version.write_steps()

    assert admitted(version) == ADMITTED
    assert version.steps[1]["note"] == ""
