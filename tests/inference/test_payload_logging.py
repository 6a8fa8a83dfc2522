"""What the log keeps of a prediction, as the model's owner says"""

import orjson
import pytest

from inference import prediction_log
from inference.errors import SpoolFull
from tests.factories import IRIS_COLUMNS, SETOSA
from tests.inference.entries import make_entry


@pytest.fixture
def change(client_of, alice, iris):
    def patch(**changes):
        answer = client_of(alice).patch("/api/v1/models/iris", changes)
        assert answer.status_code == 200, answer.json()

    return patch


def logged(spool):
    [segment] = spool.glob("*.log")
    return orjson.loads(segment.read_bytes().splitlines()[-1])


def test_it_works(iris, predict, alice, spool):
    predict(alice, "iris", {"input": SETOSA})

    line = logged(spool)
    assert (line["inputs"], line["outputs"]["predictions"]) == ([SETOSA], ["setosa"])


def test_no_payloads(change, predict, alice, spool):
    change(payloads="none")
    assert predict(alice, "iris", {"input": SETOSA}).json()["prediction"] == "setosa"

    line = logged(spool)
    assert (line["inputs"], line["outputs"], line["rows"], line["status"]) == (None, None, 1, "ok")


@pytest.mark.parametrize(("share", "kept"), [(1.0, True), (0.0, False)])
def test_some_payloads(change, predict, alice, spool, settings, share, kept):
    settings.PAYLOAD_SAMPLE = share
    change(payloads="sampled")
    predict(alice, "iris", {"input": SETOSA})

    assert (logged(spool)["inputs"] is not None) == kept


@pytest.mark.parametrize("value", [1.4, "wrong"])
def test_redacted_columns(change, predict, alice, spool, value):
    change(redacted=["petal_length"])
    row = {**dict(zip(IRIS_COLUMNS, SETOSA, strict=True)), "petal_length": value}
    predict(alice, "iris", {"input": row})

    assert logged(spool)["inputs"] == [{**row, "petal_length": "[redacted]"}]


def test_a_full_spool_refuses(spool, settings):
    prediction_log.append(make_entry())
    settings.SPOOL_MAX_BYTES = 10

    with pytest.raises(SpoolFull):
        prediction_log.append(make_entry())


def test_a_full_spool_may_forget(spool, settings):
    prediction_log.append(make_entry())
    settings.SPOOL_MAX_BYTES, settings.SPOOL_WHEN_FULL = 10, "forget"

    prediction_log.append(make_entry())

    [segment] = spool.glob("*.log")
    assert len(segment.read_bytes().splitlines()) == 1


def test_what_waits_to_be_drained_counts(spool, settings):
    spool.mkdir()
    (spool / "old.sealed").write_bytes(b"x" * 100)
    settings.SPOOL_MAX_BYTES = 100

    with pytest.raises(SpoolFull):
        prediction_log.append(make_entry())


def test_a_line_may_have_to_be_on_the_disk(spool, settings, monkeypatch):
    synced = []
    monkeypatch.setattr(prediction_log.os, "fsync", synced.append)
    prediction_log.append(make_entry())
    settings.SPOOL_FSYNC = True
    prediction_log.append(make_entry())

    assert len(synced) == 1
