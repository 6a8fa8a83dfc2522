import numpy as np
import pytest

from registry.expected import by_row, compare


@pytest.mark.parametrize(
    ("expected", "answers"),
    [
        (["a", "b"], ["a", "b"]),
        (["1", "0"], np.array([1, 0])),
        ([1.0, 0.0], np.array([1, 0])),
        (["True", "false"], np.array([True, False])),
        ([True, False], np.array([1, 0])),
        (["0.30000000000000004", "1e3"], np.array([0.3, 1000.0])),
        ([2.0000019, 0.0], np.array([2.0, 1e-10])),
        ([None, "b"], ["a", "b"]),
        ([1, 2], ["1", "2"]),
        (["9007199254740993", "2"], np.array([9007199254740993, 2])),
    ],
)
def test_what_is_equal(expected, answers):
    found = compare([expected], by_row(answers))

    assert (found.differing, found.differences) == (0, ())


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ("a", "b"),
        ("A", "a"),
        (2.00001, 2.0),
        ("yes", 1),
        ("1.5", 1),
        (1.5, float("nan")),
        ("9007199254740992", 9007199254740993),
    ],
)
def test_what_differs(expected, got):
    answers = [got] if isinstance(got, str) else np.array([got])

    found = compare([[expected]], by_row(answers))

    assert (found.rows, found.differing) == (1, 1)
    assert found.differences[0]["row"] == 1
    assert found.differences[0]["expected"] == expected


def test_rows_without_an_expected_answer_are_not_compared():
    assert compare([[None, "b", None]], by_row(["a", "b", "c"])).rows == 1


def test_a_row_of_several_outputs_is_one_row():
    answers = by_row(np.array([[1.0, 2.0], [3.0, 4.0]]))

    found = compare([["1", "3"], ["2", "5"]], answers)

    assert (found.rows, found.differing) == (2, 1)
    assert found.differences == ({"row": 2, "expected": ["3", "5"], "got": [3.0, 4.0]},)


def test_the_first_five_are_told():
    found = compare([["a"] * 9], by_row(["b"] * 9))

    assert len(found.differences) == 5
    assert found.told("y") == (
        "9 of 9 answers are not what the sample's column y expects (row 1: expected a, got b; "
        "row 2: expected a, got b; row 3: expected a, got b; row 4: expected a, got b; row 5: "
        "expected a, got b, …)."
    )


def test_rows_that_were_not_asked_about_are_not_compared():
    assert compare([["a", "b", "c"]], by_row(["a", "b"])).rows == 2


def test_a_small_number_among_large_ones_is_compared_by_their_size():
    large = [200.0, -300.0, 150.0]

    near = compare([[*large, 0.5]], by_row(np.array([*large, 0.5001])))
    far = compare([[*large, 0.5]], by_row(np.array([*large, 0.501])))
    alone = compare([[0.5, 1e9, 0.5]], by_row(np.array([0.5001, 1e9, 0.5])))

    assert (near.differing, far.differing, alone.differing) == (0, 1, 1)


@pytest.mark.parametrize("huge", ["inf", "9" * 400, "9" * 5000])
def test_infinity_in_a_column_excuses_nothing(huge):
    found = compare([[huge, huge, "2"]], by_row(np.array([np.inf, np.inf, 2.1])))

    assert found.differing == 1
