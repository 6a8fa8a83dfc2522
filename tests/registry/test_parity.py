import numpy as np

from registry.parity import compare


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
