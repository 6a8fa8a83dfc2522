"""Files of every format: uploaded, admitted and asked by HTTP, they answer as the original."""

import pytest
import skops.io
from django.utils.timezone import now

from registry import admission
from tests import artifacts, onnx_files
from tests.factories import make_version
from tests.zip_files import COLUMNS, mlflow_zip


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


@pytest.mark.parametrize("pack", [skops.io.dumps, lambda model: mlflow_zip(skops.io.dumps(model))])
def test_skops_is_served_as_a_graph_alone_or_in_an_mlflow_folder(served, pack):
    model = artifacts.fitted("logistic")
    rows = artifacts.held_out("logistic").tolist()

    version, ask = served(pack(model))

    assert (version.status, version.runtime, version.reason) == ("ready", "graph", "")
    assert "sklearn.linear_model._logistic.LogisticRegression" in version.scan["imports"]
    assert ask(rows).json()["predictions"] == model.predict(rows).tolist()


def test_an_mlflow_model_takes_the_columns_of_its_signature(served):
    model = artifacts.fitted("logistic")
    rows = artifacts.held_out("logistic")[:20].tolist()

    version, ask = served(mlflow_zip(), declared_format="mlflow")

    assert (version.status, version.format, version.runtime) == ("ready", "mlflow", "graph")
    assert version.facts["mlflow"]["versions"]["mlflow_version"] == "3.17.2"
    named = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    assert ask(named).json()["predictions"] == model.predict(rows).tolist()
    assert ask([{"x0": 1, "x1": 2, "x2": 3, "x3": 4}]).status_code == 422


def test_a_type_of_ones_own_in_skops_is_named(served):
    content = skops.io.dumps(artifacts.OwnTransformer())

    version, _ = served(content)

    assert (version.status, version.reason_code) == ("rejected", "needs_module")
    assert "OwnTransformer" in version.reason


def test_a_hostile_graph_is_rejected_with_its_reason(served):
    version, _ = served(onnx_files.perceptron(rows=32), declared_format="pytorch")

    assert (version.status, version.reason_code) == ("rejected", "fixed_batch")
