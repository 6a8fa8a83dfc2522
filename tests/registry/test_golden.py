"""The golden examples asked again: on a promote, and when a library has changed"""

import numpy as np
import pytest
from django.conf import settings
from django.test import override_settings
from django.utils.timezone import now
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from accounts.models import AuditEvent
from jobs.upkeep import replay_golden_examples
from registry import golden
from registry.errors import AnswersOtherwise, GoldenUnanswered
from registry.models import ModelVersion
from registry.promotion import promote
from registry.sandbox import Runner
from tests.factories import SETOSA, make_ready_version

OLD = {"scikit-learn": "1.2.2"}


@pytest.fixture
def version(alice, organization):
    return make_ready_version(organization, alice)


def change(version, **fields):
    ModelVersion.objects.filter(pk=version.pk).update(**fields)
    version.refresh_from_db()


def wrong(version):
    other = {"setosa": "virginica"}.get(version.golden["predict"], "setosa")
    return {**version.golden, "predict": other}


@pytest.mark.parametrize("pinned", [False, True])
def test_it_works(version, pinned):
    change(version, pinned=pinned)

    golden.replay(version)


def test_a_version_that_answers_otherwise_is_not_promoted(alice, organization, version):
    second = make_ready_version(organization, alice)
    change(second, golden=wrong(second))

    with pytest.raises(AnswersOtherwise, match="iris v2 does not answer its golden example"):
        promote(second, alias="champion", by=alice, at=now())

    second.refresh_from_db()
    assert (second.status, second.reason_code) == ("quarantined", "answers_otherwise")
    assert version.model.aliases.get().version == version


def test_without_a_runner_nothing_is_promoted_nor_held(alice, organization, version):
    second = make_ready_version(organization, alice)

    with override_settings(RUNNER_SOCKET="/nonexistent"), pytest.raises(GoldenUnanswered):
        promote(second, alias="champion", by=alice, at=now())

    second.refresh_from_db()
    assert second.status == "ready"


def test_an_upgrade_that_changes_nothing_is_noted(version):
    change(version, checked_with=OLD)

    assert replay_golden_examples() == 0

    version.refresh_from_db()
    assert version.status == "ready"
    assert version.checked_with == libraries()


def libraries():
    return Runner(settings.RUNNER_SOCKET).status()["libraries"]


def test_a_champion_that_would_answer_wrongly_answers_no_more(alice, version, client_of):
    client = client_of(alice)
    assert client.post("/api/v1/predict/iris", {"input": SETOSA}).status_code == 200
    change(version, checked_with=OLD, golden=wrong(version))

    assert replay_golden_examples() == 1

    version.refresh_from_db()
    assert version.status == "quarantined"
    assert f"scikit-learn 1.2.2 → {libraries()['scikit-learn']}" in version.reason
    refused = client.post("/api/v1/predict/iris", {"input": SETOSA})
    assert (refused.status_code, refused.json()["code"]) == (409, "version_not_ready")
    assert "does not answer its golden example" in refused.json()["detail"]
    assert "quarantine" in str(AuditEvent.objects.get(verb="version.quarantined"))


def test_what_was_checked_already_is_not_asked_again(version, monkeypatch):
    monkeypatch.setattr(Runner, "fresh_host", None)

    assert replay_golden_examples() == 0


def test_without_a_runner_it_is_tried_later(version):
    change(version, checked_with=OLD)

    with override_settings(RUNNER_SOCKET="/nonexistent"):
        assert replay_golden_examples() == 0

    version.refresh_from_db()
    assert (version.status, version.checked_with) == ("ready", OLD)


def test_what_does_not_answer_in_time_is_asked_again_later(version):
    change(version, checked_with=OLD)

    with override_settings(LOAD_DEADLINE_SECONDS=0.0):
        assert replay_golden_examples() == 0

    version.refresh_from_db()
    assert (version.status, version.checked_with) == ("ready", OLD)


def test_a_model_that_answers_at_random_has_nothing_to_replay(alice, organization):
    rows = np.arange(40.0).reshape(-1, 2)
    model = DummyClassifier(strategy="uniform").fit(rows, ["a", "b"] * 10)
    version = make_ready_version(organization, alice, model=model)

    assert version.golden.keys() == {"input"}
    golden.replay(version)


def test_a_tie_is_no_golden_example(alice, organization):
    """Where two labels are equally likely, graph and original may differ."""
    rows = np.arange(40.0).reshape(-1, 1)
    model = KNeighborsClassifier(2).fit(rows, ["a", "b"] * 20)
    version = make_ready_version(organization, alice, model=model)

    golden.replay(version)
