"""POST /api/v1/predict/{model}: what is done with rows that are not quite what was learned."""

import pytest

from tests.artifacts import fitted_mixed
from tests.factories import SETOSA, make_ready_version

PERSON = {"age": 40, "income": 30000, "city": "Oslo", "job": "cook"}
URL = "/api/v1/models/people"


@pytest.fixture
def people(alice, organization, spool, runner):
    return make_ready_version(organization, alice, name="people", model=fitted_mixed()).model


def test_an_unseen_category_is_answered_with_a_warning(alice, people, predict):
    response = predict(alice, "people", {"input": {**PERSON, "city": "Paris"}})

    assert response.status_code == 200
    answer = response.json()
    assert answer["prediction"] in ("yes", "no")
    assert answer["warnings"] == [
        {
            "pointer": "/input/city",
            "code": "unseen_category",
            "detail": "column city: category 'Paris' was not in the training data, which had "
            "Bergen, Oslo, Rome",
        }
    ]


def test_a_cached_answer_has_the_same_warning(alice, people, predict):
    body = {"inputs": [PERSON, {**PERSON, "job": "pilot"}]}

    first, second = predict(alice, "people", body), predict(alice, "people", body)

    assert (first["X-Cache"], second["X-Cache"]) == ("MISS", "HIT")
    [warning] = second.json()["warnings"]
    assert warning["pointer"] == "/inputs/1/job"
    assert first.json()["warnings"] == [warning]


def test_without_a_cause_there_is_no_warning(alice, people, predict):
    assert "warnings" not in predict(alice, "people", {"input": PERSON}).json()


def test_unknown_columns_are_refused_unless_the_model_ignores_them(
    alice, client_of, people, predict
):
    body = {"input": {**PERSON, "id": 7}}
    refused = predict(alice, "people", body)
    client_of(alice).patch(URL, {"unknown_columns": "ignore"}, format="json")
    ignored = predict(alice, "people", body)
    client_of(alice).patch(URL, {"unknown_columns": "refuse"}, format="json")
    refused_again = predict(alice, "people", body)

    assert (refused.status_code, ignored.status_code) == (422, 200)
    assert refused.json()["errors"][0]["code"] == "unknown_column"
    assert (
        ignored.json()["prediction"]
        == predict(alice, "people", {"input": PERSON}).json()["prediction"]
    )
    assert refused_again.status_code == 422


def test_there_is_no_third_way(alice, client_of, people):
    response = client_of(alice).patch(URL, {"unknown_columns": "guess"}, format="json")

    assert response.status_code == 400
    assert client_of(alice).get(URL).json()["unknown_columns"] == "refuse"


@pytest.mark.parametrize("token", [b"NaN", b"Infinity", b"-Infinity", b"nan"])
def test_what_json_does_not_have_is_refused_with_advice(alice, iris, predict, token):
    response = predict(alice, "iris", b'{"input": [5.1, %s, 1.4, 0.2]}' % token)

    assert response.status_code == 400
    assert response.json()["code"] == "parse_error"
    assert response.json()["detail"].endswith(
        "JSON has neither NaN nor Infinity: send null for a missing value."
    )


def test_a_number_in_quotes_is_refused_with_advice(alice, iris, predict):
    response = predict(alice, "iris", {"input": [*SETOSA[:3], "0.2"]})

    assert response.status_code == 422
    assert response.json()["detail"] == (
        "column petal_width: expected a number, got a string; send 0.2, without quotes."
    )
