import numpy as np
import pytest
from scipy import sparse

from registry.runner.predictors import normalized
from registry.runner.refusals import Refused
from tests import artifacts
from tests.registry.runner.reading import inspect, load, matrix


def test_it_works():
    report, graphs = inspect(artifacts.dump(artifacts.fitted("logistic")))
    predictor = load(graphs[0], report["signature"], "graph")

    answer = predictor.predict(matrix([[5.1, 3.5, 1.4, 0.2]]), ["predict", "predict_proba"])

    assert answer["predict"].dtype == np.int64
    assert answer["predict"].tolist() == [0]
    assert answer["predict_proba"].shape == (1, 3)
    assert predictor.nbytes > len(graphs[0])


def test_it_answers_only_what_is_asked():
    report, graphs = inspect(artifacts.dump(artifacts.fitted("logistic")))

    answer = load(graphs[0], report["signature"], "graph").predict(
        matrix([[1, 2, 3, 4]]), ["predict"]
    )

    assert list(answer) == ["predict"]


def test_it_refuses_a_method_the_graph_has_not():
    report, graphs = inspect(artifacts.dump(artifacts.fitted("linear")))
    predictor = load(graphs[0], report["signature"], "graph")

    with pytest.raises(Refused, match="predict_proba"):
        predictor.predict(matrix(np.zeros((1, 10))), ["predict_proba"])


def test_it_passes_graphs_through_the_gate():
    report, _ = inspect(artifacts.dump(artifacts.fitted("linear")))

    with pytest.raises(Refused, match="not ONNX"):
        load(b"\xff" * 64, report["signature"], "graph")


def test_several_outputs_keep_their_shape():
    for name in ("two_outputs", "forest_two_outputs"):
        report, graphs = inspect(artifacts.dump(artifacts.fitted(name)))
        rows = matrix(artifacts.held_out(name)[:3])
        answer = load(graphs[0], report["signature"], "graph").predict(rows, ["predict"])

        assert answer["predict"].shape == (3, 2)


@pytest.mark.parametrize(
    ("answer", "dtype"),
    [
        (np.array([1, 2], dtype=np.int32), np.int64),
        (np.array([1.5], dtype=np.float32), np.float64),
        (np.array([True, False]), np.bool_),
        (np.array([1, 2], dtype=object), np.int64),
        (sparse.csr_matrix([[1, 0], [0, 1]]), np.int64),
        ([1.0, 2.0], np.float64),
    ],
)
def test_numbers_come_as_arrays(answer, dtype):
    assert normalized(answer).dtype == dtype


def test_strings_come_as_lists():
    assert normalized(np.array(["a", "b"])) == ["a", "b"]
    assert normalized(np.array([["a", "b"]], dtype=object)) == [["a", "b"]]


def test_probabilities_of_several_outputs_come_as_a_list():
    made = normalized([np.zeros((2, 3), dtype=np.float32), np.zeros((2, 2))])

    assert [one.shape for one in made] == [(2, 3), (2, 2)]
