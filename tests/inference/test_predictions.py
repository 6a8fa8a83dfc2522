"""GET /api/v1/predictions and /api/v1/predictions/{id}"""

import pytest
from django.utils.timezone import now

from accounts.api_keys import create_key
from inference import drainer, prediction_log
from inference.models import Prediction
from registry.models import RegisteredModel
from tests.inference.entries import make_entry


@pytest.fixture
def model(alice, organization):
    return RegisteredModel.objects.create(
        organization=organization, name="iris", created_by=alice, created_at=now(), updated_at=now()
    )


@pytest.fixture
def log(spool, organization):
    """Log a prediction of alice's organization, through the drainer."""

    def write(**changes):
        entry = make_entry(**{"organization_id": organization.pk, **changes})
        prediction_log.append(entry)
        drainer.drain(spool)
        return entry

    return write


def listed(client, query=""):
    response = client.get(f"/api/v1/predictions{query}")
    assert response.status_code == 200, response.json()
    return response.json()


def test_it_works(alice, client_of, log):
    older, newer = log(), log()

    body = listed(client_of(alice))

    assert [line["id"] for line in body["results"]] == [str(newer.id), str(older.id)]
    line = body["results"][0]
    assert (line["rows"], line["status"], line["latency_ms"]) == (1, "ok", 1.234)
    assert "inputs" not in line


def test_it_shows_no_other_tenants(alice, bob, charlie, client_of, log):
    log()

    assert len(listed(client_of(bob))["results"]) == 1
    assert listed(client_of(charlie))["results"] == []


def test_it_is_paged(alice, client_of, log):
    entries = [log() for _ in range(5)]
    client = client_of(alice)

    first = listed(client, "?page_size=3")
    second = client.get(first["next"]).json()

    shown = [line["id"] for page in (first, second) for line in page["results"]]
    assert shown == [str(entry.id) for entry in reversed(entries)]
    assert second["next"] is None


def test_one_model_only(alice, client_of, log, model):
    mine = log(model_id=model.pk)
    log()

    for reference in ("iris", model.pk):
        results = listed(client_of(alice), f"?model={reference}")["results"]
        assert [line["id"] for line in results] == [str(mine.id)]


def test_failed_ones_only(alice, client_of, log):
    failed = log(status="error", error_code="model_raised", outputs=None)
    log()

    [line] = listed(client_of(alice), "?status=error")["results"]
    assert (line["id"], line["error_code"]) == (str(failed.id), "model_raised")


@pytest.mark.parametrize(
    ("query", "status"), [("?model=nobody", 404), ("?model=%00", 404), ("?status=odd", 400)]
)
def test_what_is_not_there(alice, client_of, query, status):
    assert client_of(alice).get(f"/api/v1/predictions{query}").status_code == status


def test_one_prediction(alice, client_of, log):
    entry = log()

    body = client_of(alice).get(f"/api/v1/predictions/{entry.id}").json()

    assert body["inputs"] == [{"x0": 1.5}]
    assert body["outputs"] == {"predictions": [42.0]}


def test_one_prediction_of_another_tenant(charlie, client_of, log):
    entry = log()

    assert client_of(charlie).get(f"/api/v1/predictions/{entry.id}").status_code == 404


def test_one_prediction_that_is_not_there(alice, client_of, log):
    log()
    for unknown in (make_entry().id, "00000000-0000-4000-8000-000000000000"):
        assert client_of(alice).get(f"/api/v1/predictions/{unknown}").status_code == 404


def test_a_key_needs_the_scope(alice, organization, client, log):
    _, secret = create_key(
        organization=organization, by=alice, name="ci", at=now(), scopes=["predict"]
    )

    response = client.get("/api/v1/predictions", headers={"X-API-Key": secret})

    assert response.status_code == 403


def test_the_log_is_written_by_the_drainer_only(db):
    with pytest.raises(TypeError):
        Prediction().save()


def test_an_id_that_cannot_be_ours_is_not_found(alice, client_of):
    for nobodys in ("f8226f68-8c8d-2fdb-a02f-2b1128e9ac70", "ffffffff-ffff-ffff-ffff-ffffffffffff"):
        assert client_of(alice).get(f"/api/v1/predictions/{nobodys}").status_code == 404
