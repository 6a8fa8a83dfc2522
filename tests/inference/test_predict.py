"""POST /api/v1/predict/{model}, answered by real models in the real runner."""

import pandas as pd
import pytest
import redis as redis_client
import structlog
from django.utils.timezone import now
from rest_framework.test import APIClient
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from accounts.api_keys import create_key
from accounts.models import Membership
from inference import drainer
from inference.models import Prediction
from mlplatform.foundation import redis
from registry.promotion import promote
from tests.factories import IRIS_COLUMNS, SETOSA, iris_pipeline, make_ready_version, make_version

PEOPLE = pd.DataFrame(
    {
        "age": [20.0, 30.0, None, 50.0, 60.0, 70.0],
        "city": ["Bonn", "Köln", "Bonn", "Köln", "Bonn", "Köln"],
    }
)


def doubler():
    """y = 2x, fitted without column names."""
    return LinearRegression().fit([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0])


def mixed():
    columns = make_column_transformer(
        (SimpleImputer(), ["age"]), (OneHotEncoder(handle_unknown="ignore"), ["city"])
    )
    return make_pipeline(columns, LogisticRegression()).fit(PEOPLE, [0, 1, 0, 1, 0, 1])


def expected(model, row):
    """The estimator's own answer."""
    frame = pd.DataFrame([row], columns=IRIS_COLUMNS)
    return model.predict(frame)[0], dict(
        zip(model.classes_, model.predict_proba(frame)[0], strict=True)
    )


def problem(response, status, code):
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert response["Content-Type"] == "application/problem+json"
    return body


def test_it_works(alice, iris, predict):
    label, odds = expected(iris_pipeline(), SETOSA)
    response = predict(alice, "iris", {"input": dict(zip(IRIS_COLUMNS, SETOSA, strict=True))})

    assert response.status_code == 200
    assert response["X-Cache"] == "MISS"
    body = response.json()
    assert body.pop("prediction_id")
    assert body.pop("latency_ms") > 0
    assert body == {
        "prediction": label,
        "probabilities": pytest.approx(odds, rel=1e-5),
        "model_id": str(iris.pk),
        "model": "iris",
        "model_version": 1,
        "cached": False,
    }


@pytest.mark.parametrize(
    "row", [SETOSA, dict(zip(IRIS_COLUMNS, SETOSA, strict=True)), [5.1, 3.5, 1.4, 0.2]]
)
def test_a_row_is_a_list_or_an_object(alice, iris, predict, row):
    assert predict(alice, "iris", {"input": row}).json()["prediction"] == "setosa"


def test_a_model_is_called_by_its_id_too(alice, iris, predict):
    assert predict(alice, iris.pk, {"input": SETOSA}).json()["model"] == "iris"


def test_a_colleague_may_ask(bob, iris, predict):
    assert predict(bob, "iris", {"input": SETOSA}).status_code == 200


def test_many_rows(alice, iris, predict):
    rows = [
        SETOSA,
        [6.2, 2.9, 4.3, 1.3],
        dict(zip(IRIS_COLUMNS, [6.9, 3.1, 5.4, 2.1], strict=True)),
    ]
    body = predict(alice, "iris", {"inputs": rows}).json()

    assert body["predictions"] == ["setosa", "versicolor", "virginica"]
    assert [max(odds, key=odds.get) for odds in body["probabilities"]] == body["predictions"]
    assert (body["cached"], body["cached_rows"]) == (False, 0)
    assert "prediction" not in body


def test_a_single_row_in_inputs_is_answered_as_many(alice, iris, predict):
    assert predict(alice, "iris", {"inputs": [SETOSA]}).json()["predictions"] == ["setosa"]


def test_a_regressor_has_no_probabilities(alice, organization, spool, runner, predict):
    make_ready_version(organization, alice, name="doubler", model=doubler())
    body = predict(alice, "doubler", {"inputs": [[21], {"x0": 4}]}).json()

    assert body["predictions"] == pytest.approx([42.0, 8.0])
    assert body["probabilities"] is None


def test_several_outputs(alice, organization, spool, runner, predict):
    rows, targets = [[0.0], [1.0], [2.0]], [[0.0, 1.0], [2.0, 2.0], [4.0, 3.0]]
    make_ready_version(
        organization, alice, name="both", model=LinearRegression().fit(rows, targets)
    )
    body = predict(alice, "both", {"inputs": [[3], [4]]}).json()

    assert body["predictions"] == [pytest.approx([6.0, 4.0]), pytest.approx([8.0, 5.0])]


def test_several_outputs_with_probabilities(alice, organization, spool, runner, predict):
    model = RandomForestClassifier(5, random_state=0)
    model.fit([[0.0], [1.0], [2.0], [3.0]], [["a", "x"], ["a", "y"], ["b", "x"], ["b", "y"]])
    make_ready_version(organization, alice, name="both", model=model)
    body = predict(alice, "both", {"input": [2.0]}).json()

    first, second = (odds[0] for odds in model.predict_proba([[2.0]]))
    assert body["prediction"] == model.predict([[2.0]])[0].tolist()
    assert body["probabilities"] == [
        pytest.approx(dict(zip("ab", first, strict=True))),
        pytest.approx(dict(zip("xy", second, strict=True))),
    ]


def test_strings_and_missing_values(alice, organization, spool, runner, predict):
    model = mixed()
    make_ready_version(organization, alice, name="people", model=model)
    rows = [{"age": 25, "city": "Bonn"}, {"city": "Köln"}, {"age": None, "city": "Rom"}]
    body = predict(alice, "people", {"inputs": rows}).json()

    frame = pd.DataFrame(rows, columns=["age", "city"])
    assert body["predictions"] == model.predict(frame).tolist()
    odds = [[row["0"], row["1"]] for row in body["probabilities"]]
    assert odds == [pytest.approx(row, rel=1e-5) for row in model.predict_proba(frame).tolist()]


def test_a_model_that_is_not_compiled_answers_too(alice, organization, spool, runner, predict):
    # A distance of one's own making has no counterpart in a graph.
    model = KNeighborsClassifier(3, metric="canberra").fit(
        [[1.0], [2.0], [8.0], [9.0]], ["low", "low", "high", "high"]
    )
    version = make_ready_version(organization, alice, name="near", model=model)

    assert version.runtime == "estimator"
    assert predict(alice, "near", {"input": [8.5]}).json()["prediction"] == "high"


def test_the_second_time_is_cached(alice, iris, predict):
    first = predict(alice, "iris", {"input": SETOSA})
    second = predict(alice, "iris", {"input": dict(zip(IRIS_COLUMNS, SETOSA, strict=True))})

    assert (second["X-Cache"], second.json()["cached"]) == ("HIT", True)
    for field in ("prediction", "probabilities", "model_version"):
        assert second.json()[field] == first.json()[field]
    assert second.json()["prediction_id"] != first.json()["prediction_id"]


def test_known_rows_among_others_are_cached(alice, iris, predict):
    predict(alice, "iris", {"input": SETOSA})
    response = predict(alice, "iris", {"inputs": [[6.9, 3.1, 5.4, 2.1], SETOSA]})

    assert response["X-Cache"] == "PARTIAL"
    assert response.json()["predictions"] == ["virginica", "setosa"]
    assert (response.json()["cached"], response.json()["cached_rows"]) == (False, 1)


def test_no_cache_asks_the_model(alice, iris, predict):
    predict(alice, "iris", {"input": SETOSA})
    response = predict(alice, "iris", {"input": SETOSA}, **{"Cache-Control": "no-cache"})

    assert (response["X-Cache"], response.json()["cached"]) == ("BYPASS", False)
    assert response.json()["prediction"] == "setosa"


def test_two_organizations_share_no_answer(alice, charlie, iris, predict):
    predict(alice, "iris", {"input": SETOSA})
    make_ready_version(charlie.organizations.get(), charlie)

    assert predict(charlie, "iris", {"input": SETOSA})["X-Cache"] == "MISS"


def test_a_version_or_an_alias_may_be_asked_for(alice, organization, iris, predict):
    second = make_ready_version(organization, alice, model=iris_pipeline("numbers"))

    def answered(query=""):
        body = predict(alice, "iris", {"input": SETOSA}, query).json()
        return body["model_version"], body["prediction"]

    assert answered() == (1, "setosa")
    assert answered("?version=2") == (2, 0)
    promote(second, alias="challenger", by=alice, at=now())
    assert answered("?alias=challenger") == (2, 0)
    assert answered("?alias=champion") == (1, "setosa")
    promote(second, alias="champion", by=alice, at=now())
    assert answered() == (2, 0)


@pytest.mark.parametrize(
    "query", ["?version=0", "?version=x", "?version=", "?alias=a%20b", "?version=1&alias=champion"]
)
def test_a_version_or_alias_that_cannot_be_one(alice, iris, predict, query):
    problem(predict(alice, "iris", {"input": SETOSA}, query), 422, "unknown_target")


@pytest.mark.parametrize("query", ["?version=9", "?alias=nobody"])
def test_a_version_or_alias_that_is_not_there(alice, iris, predict, query):
    problem(predict(alice, "iris", {"input": SETOSA}, query), 404, "version_not_found")


def test_a_wrong_value_names_row_and_column(alice, iris, predict):
    rows = [SETOSA, dict(zip(IRIS_COLUMNS, [5.1, "wide", 1.4, 0.2], strict=True))]
    body = problem(predict(alice, "iris", {"inputs": rows}), 422, "invalid_input")

    assert body["errors"] == [
        {
            "pointer": "/inputs/1/sepal_width",
            "code": "invalid_value",
            "detail": "row 1, column sepal_width: expected a number, got a string",
        }
    ]
    assert body["detail"] == "row 1, column sepal_width: expected a number, got a string."
    assert body["total_errors"] == 1


@pytest.mark.parametrize(
    ("row", "code", "pointer"),
    [
        ({"sepal_length": 1, "sepal_width": 1, "petal_length": 1}, "missing", "/input/petal_width"),
        (dict.fromkeys([*IRIS_COLUMNS, "colour"], 1), "unknown_column", "/input/colour"),
        ([1, 2, 3], "wrong_length", "/input"),
        ([1, 2, 3, None], "invalid_value", "/input/3"),
        ([1, 2, 3, "2"], "invalid_value", "/input/3"),
    ],
)
def test_a_row_that_does_not_fit(alice, iris, predict, row, code, pointer):
    body = problem(predict(alice, "iris", {"input": row}), 422, "invalid_input")

    assert [(error["code"], error["pointer"]) for error in body["errors"]] == [(code, pointer)]


def test_at_most_twenty_faults_are_told(alice, iris, predict):
    rows = [["a", "b", "c", "d"]] * 30
    body = problem(predict(alice, "iris", {"inputs": rows}), 422, "invalid_input")

    assert len(body["errors"]) == 20
    assert body["total_errors"] == 120
    assert body["detail"].startswith("120 values do not fit, the first: row 0, column sepal_length")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        5,
        None,
        {"input": 5.1},
        {"input": None},
        {"inputs": []},
        {"inputs": {"sepal_length": 1}},
        {"input": SETOSA, "inputs": [SETOSA]},
        {"input": SETOSA, "rows": 1},
        {"instances": [SETOSA]},
    ],
)
def test_another_shape_is_told_the_right_ones(alice, iris, predict, body):
    told = problem(predict(alice, "iris", body), 422, "unknown_shape")

    assert '{"input": one row}, {"inputs": [rows]} or {"columns": ' in told["detail"]
    assert list(told["example"]["input"]) == IRIS_COLUMNS


@pytest.mark.parametrize("body", [b"", b"{", b'{"input": [NaN]}', b'{"input": "\\ud800"}', b"\xff"])
def test_what_is_no_json(alice, iris, predict, body):
    problem(predict(alice, "iris", body), 400, "parse_error")


def test_too_many_bytes_are_not_read(alice, iris, predict, settings):
    settings.MAX_PREDICT_BYTES = 20
    body = problem(predict(alice, "iris", {"input": SETOSA}), 413, "request_too_large")

    assert body["limit"] == 20
    assert "Split it into several requests." in body["detail"]


def test_too_many_rows(alice, iris, predict, settings):
    settings.MAX_PREDICT_ROWS = 2
    assert predict(alice, "iris", {"inputs": [SETOSA] * 2}).status_code == 200

    body = problem(predict(alice, "iris", {"inputs": [SETOSA] * 3}), 413, "too_many_rows")

    assert body["detail"] == (
        "The request has 3 rows; at most 2 are answered at once. Split it into several requests."
    )


def test_it_hides_other_tenants_models(charlie, iris, predict):
    problem(predict(charlie, "iris", {"input": SETOSA}), 404, "model_not_found")
    problem(predict(charlie, iris.pk, {"input": SETOSA}), 404, "model_not_found")


def test_a_version_that_waits_does_not_answer(alice, organization, spool, predict):
    make_version(organization, alice)

    problem(predict(alice, "iris", {"input": SETOSA}), 409, "nothing_serves")
    problem(predict(alice, "iris", {"input": SETOSA}, "?version=1"), 409, "version_not_ready")


def test_a_stranger_is_asked_to_sign_in(iris, predict):
    response = predict(None, "iris", {"input": SETOSA}, client=APIClient())

    assert response.status_code == 401


def test_a_viewer_may_not(bob, organization, iris, predict):
    Membership.objects.filter(user=bob, organization=organization).update(role="viewer")

    problem(predict(bob, "iris", {"input": SETOSA}), 403, "permission_denied")


@pytest.mark.parametrize(("scope", "status"), [("predict", 200), ("models:read", 403)])
def test_a_key_needs_the_scope(alice, organization, iris, predict, scope, status):
    _, secret = create_key(organization=organization, by=alice, name="ci", at=now(), scopes=[scope])
    client = APIClient(headers={"X-API-Key": secret})

    assert predict(None, "iris", {"input": SETOSA}, client=client).status_code == status


def test_without_redis_it_answers(alice, iris, predict, monkeypatch):
    dead = redis_client.Redis.from_url("unix:///nonexistent/redis.sock")
    monkeypatch.setattr(redis, "client", lambda: dead)
    for _ in range(5):  # the third failure opens the breaker
        response = predict(alice, "iris", {"input": SETOSA})

        assert (response.status_code, response["X-Cache"]) == (200, "BYPASS")
        assert response.json()["cached"] is False


def test_without_the_runner_it_is_unavailable(alice, iris, predict, settings):
    settings.RUNNER_SOCKET = "/nonexistent/runner.sock"
    settings.PREDICT_DEADLINE_SECONDS = 0.2  # how long it is waited for
    response = predict(alice, "iris", {"input": SETOSA})

    problem(response, 503, "runner_unavailable")
    assert response["Retry-After"] == "2"


def test_without_the_runner_known_rows_are_answered(alice, iris, predict, settings):
    predict(alice, "iris", {"input": SETOSA})
    settings.RUNNER_SOCKET = "/nonexistent/runner.sock"
    settings.PREDICT_DEADLINE_SECONDS = 0.2  # how long it is waited for

    assert predict(alice, "iris", {"input": SETOSA}).json()["prediction"] == "setosa"


def test_it_is_logged(alice, iris, predict, spool):
    label, odds = expected(iris_pipeline(), SETOSA)
    response = predict(alice, "iris", {"input": SETOSA}, **{"X-Request-Id": "a-request-of-alice"})
    drainer.drain(spool)

    logged = Prediction.objects.get(id=response.json()["prediction_id"])
    assert logged.inputs == [SETOSA]
    assert logged.outputs == {
        "predictions": [label],
        "probabilities": [pytest.approx(odds, rel=1e-5)],
    }
    assert (logged.organization_id, logged.model_id) == (iris.organization_id, iris.pk)
    assert (logged.version_number, logged.rows, logged.cached_rows) == (1, 1, 0)
    assert (logged.user_id, logged.api_key_id) == (alice.pk, None)
    assert (logged.request_id, logged.source) == ("a-request-of-alice", "api")
    assert (logged.status, logged.error_code) == ("ok", "")
    assert logged.latency_ms == response.json()["latency_ms"]


def test_the_log_line_of_the_request_names_the_version(alice, iris, predict):
    predict(alice, "iris", {"input": SETOSA})

    bound = structlog.contextvars.get_contextvars()
    assert (bound["model_id"], bound["model_version"]) == (str(iris.pk), 1)


def test_the_key_is_logged(alice, organization, iris, predict, spool):
    key, secret = create_key(organization=organization, by=alice, name="ci", at=now())
    predict(None, "iris", {"input": SETOSA}, client=APIClient(headers={"X-API-Key": secret}))
    drainer.drain(spool)

    assert Prediction.objects.get().api_key_id == key.pk
    assert Prediction.objects.get().user_id == alice.pk


def test_a_failure_is_logged_too(alice, iris, predict, spool):
    predict(alice, "iris", {"input": ["wide", 1, 1, 1]})
    drainer.drain(spool)

    logged = Prediction.objects.get()
    assert (logged.status, logged.error_code) == ("error", "invalid_input")
    assert (logged.inputs, logged.outputs) == ([["wide", 1, 1, 1]], None)


def test_what_cannot_be_logged_is_not_answered(alice, iris, predict, spool, settings):
    spool.touch()  # a file where the folder should be
    response = predict(alice, "iris", {"input": SETOSA})

    problem(response, 503, "log_unavailable")
    assert response["Retry-After"] == "10"
