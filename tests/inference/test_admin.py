import pytest

from inference import drainer, prediction_log
from tests.inference.entries import make_entry


@pytest.fixture
def operator(alice, client):
    alice.make_operator()
    client.force_login(alice, backend="accounts.backends.EmailBackend")
    return client


@pytest.fixture
def entry(spool, db):
    entry = make_entry()
    prediction_log.append(entry)
    drainer.drain(spool)
    return entry


def test_it_works(operator, entry):
    page = operator.get("/admin/inference/prediction/")

    assert page.status_code == 200
    assert str(entry.id) in page.text


def test_one_prediction_is_shown_and_cannot_be_changed(operator, entry):
    url = f"/admin/inference/prediction/{entry.id}/change/"

    assert "a-request" in operator.get(url).text
    assert operator.post(url, {"rows": 9}).status_code == 403
    assert operator.get("/admin/inference/prediction/add/").status_code == 403


def test_it_is_searched_by_whole_ids(operator, entry):
    for query, found in [(entry.organization_id, True), (entry.id, True), (make_entry().id, False)]:
        page = operator.get("/admin/inference/prediction/", {"q": str(query)})
        assert (f"/{entry.id}/change/" in page.text) is found
