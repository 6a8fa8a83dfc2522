import numpy as np

from registry.parity import compare, matches


def test_it_works():
    found = compare(
        {"predict": ["a", "b"], "predict_proba": np.array([[0.25, 0.75], [1.0, 0.0]])},
        {"predict": ["a", "b"], "predict_proba": np.array([[0.25, 0.75000001], [1.0, 0.0]])},
        rows=2,
    )

    assert found.holds
    assert found.labels_equal == 1.0
    assert 0 < found.largest_difference < 1.1e-8


def test_one_other_label_is_too_many():
    found = compare({"predict": np.array([0, 1, 1])}, {"predict": np.array([0, 1, 0])}, rows=3)

    assert found.reason == "33.33% of the labels differ"


def test_numbers_beyond_the_tolerance_are_refused():
    found = compare({"predict": np.array([1.0])}, {"predict": np.array([1.0001])}, rows=1)

    assert found.reason == "predict differs by up to 0.0001"


def test_nan_equals_nan_only():
    nan = np.array([np.nan])

    assert compare({"predict": nan}, {"predict": nan}, rows=1).holds
    other = compare({"predict": nan}, {"predict": np.array([0.0])}, rows=1)
    assert not other.holds
    assert other.to_json()["largest_difference"] is None  # a row in PostgreSQL takes no infinity


def test_a_missing_output_is_refused():
    assert compare({"predict_proba": np.ones(1)}, {}, rows=1).reason == (
        "the graph does not give predict_proba"
    )


def test_another_shape_is_refused():
    assert not compare({"predict": np.ones(2)}, {"predict": np.ones((2, 1))}, rows=2).holds


def test_each_output_of_a_multi_output_model_is_compared():
    one, other = [np.zeros((1, 2)), np.zeros((1, 3))], [np.zeros((1, 2)), np.ones((1, 3))]

    assert compare({"predict_proba": one}, {"predict_proba": one}, rows=1).holds
    assert not compare({"predict_proba": one}, {"predict_proba": other}, rows=1).holds


def test_either_label_of_a_tie_is_right():
    tie = np.array([[0.5, 0.5], *[[0.1, 0.9]] * 199])
    one, other = np.ones(200, int), np.array([0, *[1] * 199])

    found = compare(
        {"predict": one, "predict_proba": tie}, {"predict": other, "predict_proba": tie}, rows=200
    )

    assert found.holds
    assert (found.ties, found.disagreeing, found.labels_equal) == (1, 0, 0.995)


def test_many_ties_are_none():
    tie = np.array([[0.5, 0.5]] * 10)
    answers = {"predict": np.ones(10, int), "predict_proba": tie}

    found = compare(answers, {**answers, "predict": np.zeros(10, int)}, rows=10)

    assert found.reason == "100.00% of the labels differ"
    assert (found.ties, found.disagreeing) == (0, 10)


def test_it_says_when_float32_is_the_cause():
    one, other = np.array([1.0, 2.0]), np.array([1.000008, 2.0])

    found = compare({"predict": one}, {"predict": other}, rows=2)

    assert found.reason == "predict differs by up to 8e-06, as numbers of 32 bits do"
    assert found.disagreeing == 1


GOLDEN = {
    "input": [1.0, None],
    "predict": "a",
    "predict_proba": [0.25, 0.75],
    "more": [{"input": [2.0, "x"], "predict": "b", "predict_proba": [None, 1.0]}],
}


def test_golden_examples_match_their_answers():
    proba = np.array([[0.25, 0.75000001], [np.nan, 1.0]])

    assert matches(GOLDEN, {"predict": ["a", "b"], "predict_proba": proba})
    assert not matches(GOLDEN, {"predict": ["a", "a"], "predict_proba": proba})
    assert not matches(GOLDEN, {"predict": ["a", "b"], "predict_proba": proba + 0.001})
    assert not matches(GOLDEN, {"predict": ["a"], "predict_proba": proba[:1]})
    assert not matches(GOLDEN, {"predict": ["a", "b"]})
    assert not matches({}, {"predict": ["a"]})


def test_golden_examples_of_several_outputs_match():
    golden = {"input": [1.0], "predict": [1, 0], "predict_proba": [[0.5, 0.5], [1.0, 0.0]]}
    outputs = {
        "predict": np.array([[1, 0]]),
        "predict_proba": [np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])],
    }

    assert matches(golden, outputs)
    assert not matches(golden, {**outputs, "predict": np.array([[1, 1]])})
