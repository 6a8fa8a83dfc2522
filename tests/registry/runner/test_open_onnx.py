"""registry.runner.open_onnx: uploads of several exporters, and of no good will"""

import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from catboost import CatBoostClassifier
from onnx import TensorProto, helper, numpy_helper
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from registry.rows import Rows
from registry.runner import inspector
from registry.runner.refusals import Refused
from registry.runner.sessions import open_session
from tests import artifacts, onnx_files
from tests.registry.runner.reading import load, matrix

FILES = Path(__file__).parents[2] / "files"


def looked_at(content: bytes) -> tuple[dict, bytes]:
    report, graphs = inspector.inspect(io.BytesIO(content), fmt="onnx")
    assert (len(graphs), report["not_compiled"]) == (1, None)
    return report, graphs[0]


def answers(content: bytes, report: dict, rows: Rows) -> tuple[dict, dict]:
    """The upload's own and the served graph's."""
    _, graph = looked_at(content)
    own = load(content, report["signature"], fmt="onnx")
    served = load(graph, report["signature"], fmt="graph")
    methods = report["methods"]
    return own.predict(rows, methods), served.predict(rows, methods)


def refusal(content: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        inspector.inspect(io.BytesIO(content), fmt="onnx")
    return caught.value


def alike(one: dict, other: dict) -> bool:
    return all(np.array_equal(one[method], other[method]) for method in one)


def run(content: bytes, rows: np.ndarray) -> list:
    session = open_session(content)  # with one thread: forests round by the order of their sums
    return session.run(None, {session.get_inputs()[0].name: rows})


@pytest.mark.parametrize("name", ["logistic", "forest", "boosting", "perceptron", "imputed_forest"])
def test_classifiers_answer_as_exported(name):
    content = artifacts.graph_of(name)
    rows = artifacts.held_out(name).astype(np.float32)
    report, _ = looked_at(content)

    own, served = answers(content, report, matrix(rows))

    labels, scores = run(content, rows)
    assert report["methods"] == ["predict", "predict_proba"]
    assert report["estimator"]["kind"] == "classifier"
    assert own["predict"].tolist() == labels.tolist()
    assert np.allclose(own["predict_proba"], [[row[one] for one in sorted(row)] for row in scores])
    assert alike(own, served)


def test_scores_that_are_no_probabilities_are_not_served():
    assert looked_at(artifacts.graph_of("vectors"))[0]["methods"] == ["predict"]
    clusters = KMeans(3, random_state=0, n_init=1).fit(artifacts.data("iris")[0])
    report, _ = looked_at(onnx_files.exported(clusters, FloatTensorType([None, 4])))
    assert report["methods"] == ["predict"]


@pytest.mark.parametrize(("name", "count"), [("linear", 1), ("forest_two_outputs", 2)])
def test_regressors_answer_as_exported(name, count):
    content = artifacts.graph_of(name)
    rows = artifacts.held_out(name).astype(np.float32)
    report, _ = looked_at(content)

    own, served = answers(content, report, matrix(rows))

    assert report["signature"]["outputs"]["predict"] == {"dtype": "float", "count": count}
    assert np.allclose(own["predict"].reshape(len(rows), -1), run(content, rows)[0], rtol=1e-6)
    assert alike(own, served)


@pytest.mark.parametrize("zipmap", [True, False])
def test_one_input_a_column_makes_named_columns(zipmap):
    content = onnx_files.household_graph(zipmap=zipmap)
    table = onnx_files.households()
    rows = Rows(
        [table[["age"]].to_numpy(float), table["city"].tolist(),
         table[["kids", "rich"]].to_numpy(float)], len(table)
    )  # fmt: skip
    report, _ = looked_at(content)

    own, served = answers(content, report, rows)

    inputs = report["signature"]["inputs"]
    assert [(one["name"], one["dtype"]) for one in inputs] == [
        ("age", "float"), ("city", "string"), ("kids", "integer"), ("rich", "boolean")
    ]  # fmt: skip
    assert report["signature"]["named"]
    assert inputs[1]["categories"] == ["Bonn", "Oslo", "Rome"]
    assert own["predict"] == onnx_files.household_model().predict(table).tolist()
    assert alike(own, served)


def test_strings_in_one_matrix_become_a_column_each():
    table = onnx_files.households()[["city", "city"]].to_numpy()
    target = np.arange(300) % 2
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(table, target)
    content = onnx_files.exported(model, StringTensorType([None, 2]))
    report, _ = looked_at(content)

    own, served = answers(content, report, Rows([["Bonn", "Rome"], ["Oslo", "Oslo"]], 2))

    assert [one["categories"] for one in report["signature"]["inputs"]] == [
        ["Bonn", "Oslo", "Rome"]
    ] * 2
    assert [one["unseen"] for one in report["signature"]["inputs"]] == ["error"] * 2
    assert own["predict"].tolist() == model.predict([["Bonn", "Oslo"], ["Rome", "Oslo"]]).tolist()
    assert alike(own, served)


def test_integers_are_taken():
    content = onnx_files.exported(artifacts.fitted("logistic"), Int64TensorType([None, 4]))
    report, _ = looked_at(content)

    own, served = answers(content, report, matrix([[5, 3, 1, 0], [6, 3, 5, 2]]))

    assert [one["dtype"] for one in report["signature"]["inputs"]] == ["integer"] * 4
    assert own["predict"].tolist() == [0, 2]
    assert alike(own, served)


def test_catboosts_own_export_is_taken(tmp_path):
    model = CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False)
    model.fit(*artifacts.data("iris"))
    model.save_model(str(tmp_path / "m.onnx"), format="onnx")
    content = (tmp_path / "m.onnx").read_bytes()
    report, _ = looked_at(content)

    own, served = answers(content, report, matrix(onnx_files.plain_rows()))

    assert own["predict"].tolist() == model.predict(onnx_files.plain_rows()).ravel().tolist()
    assert alike(own, served)


def test_one_output_of_scores_is_a_matrix():
    content = onnx_files.perceptron()
    report, _ = looked_at(content)

    own, served = answers(content, report, matrix(onnx_files.plain_rows()))

    assert report["signature"]["outputs"]["predict"] == {"dtype": "float", "count": 3}
    assert own["predict"].shape == (75, 3)
    assert alike(own, served)


def exported(name: str) -> bytes:
    return (FILES / name).read_bytes()


def told_rows() -> tuple[np.ndarray, dict]:
    told = json.loads(exported("answers.json"))
    return artifacts.data("iris")[0][told["rows_of_iris"]], told


def test_a_pytorch_classifier_answers_as_in_pytorch():
    content = exported("pytorch_classifier.onnx")
    rows, told = told_rows()
    report, _ = looked_at(content)

    own, served = answers(content, report, matrix(rows))

    assert report["signature"]["outputs"]["predict_proba"] == {"classes": [[0, 1, 2]]}
    assert own["predict"].tolist() == told["label"]
    assert np.allclose(own["predict_proba"], told["probabilities"], atol=1e-5)
    assert alike(own, served)


@pytest.mark.parametrize(
    ("name", "key"), [("pytorch_scores.onnx", "scores"), ("keras_softmax.onnx", "keras")]
)
def test_scores_answer_as_in_pytorch_and_keras(name, key):
    content = exported(name)
    rows, told = told_rows()
    report, _ = looked_at(content)

    own, served = answers(content, report, matrix(rows))

    assert np.allclose(own["predict"], told[key], rtol=1e-5)
    assert alike(own, served)


def test_labels_that_count_classes_are_known_as_such():
    report, _ = looked_at(onnx_files.perceptron(outputs=("proba", "label")))

    assert report["methods"] == ["predict", "predict_proba"]
    assert report["signature"]["outputs"]["predict_proba"] == {"classes": [[0, 1, 2]]}


def test_outputs_that_are_not_served_are_told():
    report, _ = looked_at(onnx_files.perceptron(outputs=("scores", "proba")))

    assert report["estimator"]["warnings"] == ["The graph has outputs that are not served: proba."]


def test_a_batch_of_one_is_answered_row_by_row():
    content = onnx_files.perceptron(rows=1)
    report, _ = looked_at(content)

    own, served = answers(content, report, matrix(onnx_files.plain_rows()))

    assert own["predict"].shape == (75, 3)
    assert np.allclose(own["predict"], served["predict"], rtol=1e-6)


def test_a_batch_of_another_size_is_refused_with_the_way_out():
    told = refusal(onnx_files.perceptron(rows=32))

    assert told.code == "fixed_batch"
    assert "32 rows" in told.reason
    assert "dynamic_axes" in told.reason


def test_constants_listed_as_inputs_are_none():
    report, _ = looked_at(onnx_files.perceptron(lists_constants=True))

    assert len(report["signature"]["inputs"]) == 4


@pytest.mark.parametrize(("version", "is_read"), [(6, False), (7, True), (8, True), (9, True)])
def test_operator_sets_7_and_8_are_read_as_9(version, is_read):
    x = onnx_files.value("X", TensorProto.FLOAT, [None, 4])
    y = onnx_files.value("y", TensorProto.FLOAT, None)
    node = helper.make_node("LinearRegressor", ["X"], ["z"], domain="ai.onnx.ml",
                            coefficients=[1.0, 2.0, 3.0, 4.0])  # fmt: skip
    content = onnx_files.model(
        [node, helper.make_node("Identity", ["z"], ["y"])], [x], [y], **{"": version}
    )

    if is_read:
        assert load(content, looked_at(content)[0]["signature"], fmt="onnx").predict(
            matrix([[1, 1, 1, 1]]), ["predict"]
        )["predict"].tolist() == [10.0]
    else:
        assert "version 6" in refusal(content).reason


def test_a_width_left_open_follows_from_the_weights():
    content = onnx_files.exported(
        artifacts.fitted("scaled_logistic"), FloatTensorType([None, None])
    )

    assert len(looked_at(content)[0]["signature"]["inputs"]) == 30


def test_a_width_that_nothing_tells_is_asked_for():
    x = onnx_files.value("X", TensorProto.FLOAT, [None, None])
    y = onnx_files.value("y", TensorProto.FLOAT, None)
    total = helper.make_node("ReduceSum", ["X"], ["y"], keepdims=1)

    assert refusal(onnx_files.model([total], [x], [y])).code == "no_width"


def test_a_missing_value_is_refused_where_the_answer_would_be_none():
    report, _ = looked_at(artifacts.graph_of("logistic"))

    assert not any(one["nullable"] for one in report["signature"]["inputs"])


def test_trees_take_missing_values_and_tell_where_they_split():
    report, _ = looked_at(artifacts.graph_of("forest"))

    assert all(one["nullable"] for one in report["signature"]["inputs"])
    assert any(hint["splits"] for hint in report["hints"])


def table_of(nodes: list, constants: list = (), kind: int = TensorProto.FLOAT) -> bytes:
    x = onnx_files.value("X", TensorProto.FLOAT, [None, 4])
    return onnx_files.model(nodes, [x], [onnx_files.value("y", kind, None)], constants)


def kept_elsewhere() -> bytes:
    made = onnx.ModelProto.FromString(onnx_files.perceptron())
    tensor = made.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return made.SerializeToString()


def lying_constant() -> bytes:
    made = onnx.ModelProto.FromString(onnx_files.perceptron())
    made.graph.initializer[0].dims[0] = 10_000
    return made.SerializeToString()


def zipped_twice() -> bytes:
    """A sequence that no ZipMap makes."""
    made = onnx.ModelProto.FromString(artifacts.graph_of("logistic"))
    made.graph.node[-1].op_type = "Identity"
    made.graph.node[-1].domain = ""
    del made.graph.node[-1].attribute[:]
    return made.SerializeToString()


def picture() -> bytes:
    x = onnx_files.value("X", TensorProto.FLOAT, [None, 3, 32, 32])
    y = onnx_files.value("y", TensorProto.FLOAT, None)
    return onnx_files.model([helper.make_node("Relu", ["X"], ["y"])], [x], [y])


def using(operator: str, *inputs: str, domain: str = "") -> bytes:
    huge = numpy_helper.from_array(np.array([2**31, 2**31]), "huge")
    return table_of([helper.make_node(operator, inputs, ["y"], domain=domain)], [huge])


def name_of_no_text() -> bytes:
    return onnx_files.perceptron().replace(b"hidden", b"hid\xffen")


HOSTILE = {
    "name of no text": (name_of_no_text, "no text"),
    "fill": (lambda: using("ConstantOfShape", "huge"), "ConstantOfShape"),
    "expand": (lambda: using("Expand", "X", "huge"), "too large"),
    "loop": (lambda: using("Loop", "X"), "Loop"),
    "foreign": (lambda: using("Thing", "X", domain="evil"), "Thing"),
    "convolution": (lambda: using("Conv", "X", "X"), "Conv"),
    "image": (picture, "no table"),
    "external": (kept_elsewhere, "outside the file"),
    "lying constant": (lying_constant, "does not fit"),
    "sequence": (zipped_twice, "not a tensor"),
    "no graph": (lambda: b"\x08\x08", "0 nodes"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_graphs_are_refused(name):
    make, said = HOSTILE[name]

    told = refusal(make())

    assert told.code == "graph_refused"
    assert said in told.reason


def test_a_graph_without_a_prediction_is_refused():
    cast = helper.make_node("Cast", ["X"], ["y"], to=TensorProto.INT8)

    assert refusal(table_of([cast], kind=TensorProto.INT8)).code == "no_predict"
