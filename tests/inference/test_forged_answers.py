"""What a child says is a stranger's word: an answer that fits nothing is an error, no crash."""

import numpy as np
import orjson
import pytest

from registry import sandbox
from registry.runner.frames import Frame
from tests.factories import SETOSA

pytestmark = pytest.mark.usefixtures("runner")


@pytest.mark.parametrize(
    "probabilities",
    [np.ones((1, 7)), np.ones(1), ["a"], [np.ones((1, 3))] * 2],
    ids=["too wide", "flat", "labels", "tables"],
)
def test_an_answer_that_does_not_fit_the_signature(
    alice, iris, predict, monkeypatch, probabilities
):
    def lie(*arguments, **options):
        return {"predict": np.array([1]), "predict_proba": probabilities}

    monkeypatch.setattr(sandbox.Host, "predict", lie)
    response = predict(alice, "iris", {"input": SETOSA})

    assert (response.status_code, response.json()["code"]) == (502, "bad_reply")


def test_an_error_that_is_nested_a_thousand_times(alice, iris, predict, monkeypatch):
    reason = orjson.loads(b"[" * 1000 + b"]" * 1000)
    frame = Frame({"error": {"code": "x", "reason": reason}}, memoryview(b""))
    monkeypatch.setattr(sandbox.Host, "_exchange", lambda *_: frame)

    response = predict(alice, "iris", {"input": SETOSA})

    assert response.status_code == 422
    assert "without a reason" in response.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"input":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"input":[1,2,3,' + b"[" * 300 + b"]" * 300 + b"]}",
    ],
    ids=["row", "value"],
)
def test_input_that_is_nested_deeper_than_the_log_can_write(alice, iris, predict, body):
    assert predict(alice, "iris", body).status_code == 422
