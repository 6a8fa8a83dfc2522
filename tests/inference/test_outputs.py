import numpy as np

from inference.outputs import to_answers
from tests.inference.served import make_signature


def test_it_works():
    signature = make_signature(classes=[["no", "yes"]])
    outputs = {"predict": ["yes", "no"], "predict_proba": np.array([[0.25, 0.75], [1.0, 0.0]])}

    assert to_answers(signature, outputs) == [
        ("yes", {"no": 0.25, "yes": 0.75}),
        ("no", {"no": 1.0, "yes": 0.0}),
    ]


def test_a_model_without_probabilities_has_none():
    assert to_answers(make_signature(), {"predict": np.array([1.5])}) == [(1.5, None)]


def test_numbers_are_plain_python():
    for array, kind in [
        (np.array([1, 2]), int),
        (np.array([1.0, 2.0]), float),
        (np.array([True, False]), bool),
    ]:
        answers = to_answers(make_signature(), {"predict": array})
        assert [type(prediction) for prediction, _ in answers] == [kind, kind]


def test_labels_are_written_as_json_writes_them():
    outputs = {"predict": np.array([1]), "predict_proba": np.array([[0.5, 0.5]])}

    def names(*labels):
        [(_, odds)] = to_answers(make_signature(classes=[list(labels)]), outputs)
        return list(odds)

    assert names(0, 1) == ["0", "1"]
    assert names(False, True) == ["false", "true"]
    assert names(0.5, 1.0) == ["0.5", "1.0"]
    assert names("ä", "b") == ["ä", "b"]


def test_several_outputs_have_a_list_of_each():
    signature = make_signature(classes=[["a", "b"], [0, 1]], count=2)
    outputs = {
        "predict": [["a", "0"], ["b", "1"]],
        "predict_proba": [np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.5, 0.5], [0.25, 0.75]])],
    }

    assert to_answers(signature, outputs) == [
        (["a", "0"], [{"a": 1.0, "b": 0.0}, {"0": 0.5, "1": 0.5}]),
        (["b", "1"], [{"a": 0.0, "b": 1.0}, {"0": 0.25, "1": 0.75}]),
    ]


def test_what_json_cannot_say_is_none():
    several = np.array([[1.0, np.nan], [np.inf, -np.inf]])

    assert to_answers(make_signature(count=2), {"predict": several}) == [
        ([1.0, None], None),
        ([None, None], None),
    ]
