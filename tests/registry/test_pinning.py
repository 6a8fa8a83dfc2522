"""PATCH /api/v1/models/{model}/versions/{number} {"pinned": …}"""

import pytest

from accounts.models import AuditEvent
from inference import hosts, prediction_cache
from registry.models import ModelVersion
from registry.serving import resolve
from tests.factories import SETOSA, make_ready_version, make_version

URL = "/api/v1/models/iris/versions/1"


@pytest.fixture
def version(alice, organization):
    return make_ready_version(organization, alice)


def pin(client, pinned):
    return client.patch(URL, {"pinned": pinned}, format="json")


def test_it_works(alice, organization, version, client_of):
    client = client_of(alice)
    ask = {"input": SETOSA}
    before = client.post("/api/v1/predict/iris", ask, HTTP_CACHE_CONTROL="no-cache").json()
    assert resolve(organization=organization, model="iris").host_kind == "graph"

    answer = pin(client, True)

    assert (answer.status_code, answer.json()["pinned"]) == (200, True)
    assert answer.json()["runtime"] == "graph"  # there still is one
    served = resolve(organization=organization, model="iris")
    assert (served.host_kind, served.served_digest) == ("estimator", version.digest)
    after = client.post("/api/v1/predict/iris", ask, HTTP_CACHE_CONTROL="no-cache").json()
    assert after["prediction"] == before["prediction"]
    assert after["probabilities"] == pytest.approx(before["probabilities"])

    assert pin(client, False).json()["pinned"] is False
    assert resolve(organization=organization, model="iris").host_kind == "graph"
    events = AuditEvent.objects.filter(target_id=str(version.pk), actor=alice)
    assert [str(event) for event in events.newest_first()][:2] == [
        "Alice (alice@example.com) let the compiled graph answer for version 1 of iris",
        "Alice (alice@example.com) pinned version 1 of iris to the original",
    ]


def test_it_holds_at_the_next_request(alice, organization, version, client_of, monkeypatch):
    """The organization's generation grows, so no process goes on with what it remembers."""
    client = client_of(alice)
    asked = []
    predict = hosts.predict

    def told(served, *arguments, **options):
        asked.append(served.host_kind)
        return predict(served, *arguments, **options)

    monkeypatch.setattr(hosts, "predict", told)
    client.post("/api/v1/predict/iris", {"input": [1, 2, 3, 4]})
    pin(client, True)
    client.post("/api/v1/predict/iris", {"input": [4, 3, 2, 1]})

    assert asked == ["graph", "estimator"]


def test_cached_answers_are_the_artifacts(organization, version):
    """The graph was proved equal, so what one of them said holds for the other."""
    graph = resolve(organization=organization, model="iris")
    version.pin(True)
    original = resolve(organization=organization, model="iris")

    rows = graph.signature.to_rows([SETOSA], pointers=["/input"])
    keys = [prediction_cache.keys_for(served, ("predict",), rows) for served in (graph, original)]

    assert graph.served_digest != original.served_digest
    assert keys[0] == keys[1]


def test_twice_is_no_change(alice, version, client_of):
    pin(client_of(alice), True)
    pin(client_of(alice), True)

    assert AuditEvent.objects.filter(verb="version.pinned").count() == 1


def test_only_an_admitted_version_is_pinned(alice, organization, client_of):
    make_version(organization, alice)

    answer = pin(client_of(alice), True)

    assert (answer.status_code, answer.json()["code"]) == (409, "version_not_ready")


def test_an_original_that_answers_otherwise_is_not_pinned(alice, version, client_of):
    ModelVersion.objects.update(golden={**version.golden, "predict": "virginica"})

    answer = pin(client_of(alice), True)

    assert (answer.status_code, answer.json()["code"]) == (409, "answers_otherwise")
    version.refresh_from_db()
    assert (version.pinned, version.status) == (False, "ready")


@pytest.mark.parametrize("body", [{"pinned": "perhaps"}, {"pinned": None}, {"digest": "x"}])
def test_nonsense_is_refused(alice, version, client_of, body):
    assert client_of(alice).patch(URL, body, format="json").status_code == 400


def test_it_hides_other_tenants_versions(charlie, version, client_of):
    assert pin(client_of(charlie), True).status_code == 404
