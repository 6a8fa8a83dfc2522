"""Files of every format: uploaded, admitted and asked by HTTP, they answer as the original."""

import pytest
from django.utils.timezone import now

from registry import admission
from tests import artifacts, onnx_files
from tests.factories import make_version


@pytest.fixture
def served(alice, organization, client_of):
    """Upload, admit, and a function that asks."""

    def serve(content, **declared):
        version = make_version(organization, alice, name="served", content=content, **declared)
        admission.admit(version.pk, at=now())
        version.refresh_from_db()
        return version, lambda rows: client_of(alice).post(
            "/api/v1/predict/served", {"inputs": rows}, format="json"
        )

    return serve


def test_onnx_is_served_as_a_graph(served):
    rows = artifacts.held_out("logistic")[:20].tolist()

    version, ask = served(artifacts.graph_of("logistic"), declared_format="sklearn")

    assert (version.status, version.format, version.runtime) == ("ready", "onnx", "graph")
    assert version.parity["labels_equal"] == 1.0
    assert version.facts["warnings"] == [
        "You called it sklearn; the bytes are ONNX, and they decide."
    ]
    answer = ask(rows).json()
    model = artifacts.fitted("logistic")
    assert answer["predictions"] == model.predict(rows).tolist()
    given = [list(one.values()) for one in answer["probabilities"]]
    assert given == pytest.approx(model.predict_proba(rows), rel=1e-4)


def test_onnx_with_named_columns_is_served(served):
    table = onnx_files.households()[:20]

    version, ask = served(onnx_files.household_graph(zipmap=True))
    rows = table.to_dict("records")

    assert version.runtime == "graph"
    assert ask(rows).json()["predictions"] == onnx_files.household_model().predict(table).tolist()
    wrong = ask([{**rows[0], "kids": 1.5}]).json()
    assert wrong["errors"][0]["detail"] == "column kids: expected an integer, got 1.5"


def test_a_hostile_graph_is_rejected_with_its_reason(served):
    version, _ = served(onnx_files.perceptron(rows=32), declared_format="pytorch")

    assert (version.status, version.reason_code) == ("rejected", "fixed_batch")
