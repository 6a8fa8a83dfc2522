from random import Random

import numpy as np
import pytest

from registry.row_reader import RowReader
from registry.signature import InvalidRows, InvalidSignature, Signature

HOUSES = {
    "inputs": [
        {"name": "rooms", "dtype": "float"},
        {"name": "income", "dtype": "float", "nullable": True},
        {"name": "city", "dtype": "string", "categories": ["Bern", "Köln"], "unseen": "error"},
        {"name": "garden", "dtype": "boolean"},
    ],
    "named": True,
    "outputs": {"predict": {"dtype": "float", "count": 1}, "predict_proba": None},
}
FLOWERS = {
    "inputs": [{"name": "x0", "dtype": "float"}, {"name": "x1", "dtype": "float"}],
    "named": False,
    "outputs": {
        "predict": {"dtype": "integer", "count": 1},
        "predict_proba": {"classes": [[0, 1]]},
    },
    "methods": ["predict", "predict_proba"],
}


def rows_of(signature, *instances):
    pointers = [f"/inputs/{i}" for i in range(len(instances))]
    return Signature.from_json(signature).to_rows(instances, pointers=pointers)


def faults_of(signature, *instances):
    with pytest.raises(InvalidRows) as caught:
        rows_of(signature, *instances)
    return caught.value.errors


def test_it_works():
    rows = rows_of(HOUSES, {"garden": True, "city": "Köln", "income": None, "rooms": 3})

    assert rows.count == 1
    numbers, cities, gardens = rows.blocks
    np.testing.assert_array_equal(numbers, [[3.0, np.nan]])
    assert cities == ["Köln"]
    np.testing.assert_array_equal(gardens, [[1.0]])


def test_it_takes_lists_in_the_order_of_fitting():
    rows = rows_of(FLOWERS, [5.1, 3], [4, 2.5])

    np.testing.assert_array_equal(rows.blocks[0], [[5.1, 3.0], [4.0, 2.5]])


def test_a_boolean_is_a_number_to_a_model():
    np.testing.assert_array_equal(rows_of(FLOWERS, [True, 2]).blocks[0], [[1.0, 2.0]])


def test_objects_and_lists_may_be_mixed():
    rows = rows_of(FLOWERS, {"x1": 3, "x0": 5.1}, [4, 2.5])

    np.testing.assert_array_equal(rows.blocks[0], [[5.1, 3.0], [4.0, 2.5]])


def test_a_missing_optional_value_is_missing():
    rows = rows_of(HOUSES, {"rooms": 1, "city": "Bern", "garden": False})

    assert np.isnan(rows.blocks[0][0, 1])


def test_it_survives_a_round_trip_through_json():
    signature = Signature.from_json(HOUSES)

    assert Signature.from_json(signature.to_json()) == signature


@pytest.mark.parametrize(
    ("row", "pointer", "detail"),
    [
        ([1], "/inputs/1", "row 1: expected 2 values (x0, x1), got 1"),
        ("5,1", "/inputs/1", "row 1: expected an object or a list, got a string"),
        ({"x0": 1}, "/inputs/1/x1", "row 1, column x1: a value is required"),
        ([1, None], "/inputs/1/1", "row 1, column x1: a value is required, got null"),
        (
            [1, "2"],
            "/inputs/1/1",
            "row 1, column x1: expected a number, got a string; send 2, without quotes",
        ),
        ([1, [2]], "/inputs/1/1", "row 1, column x1: expected a number, got a list"),
        ([1, 1e300], "/inputs/1/1", "row 1, column x1: the number is out of range (up to 3.4e+38)"),
        (
            [1, 10**400],
            "/inputs/1/1",
            "row 1, column x1: the number is out of range (up to 3.4e+38)",
        ),
        (
            {"x0": 1, "x1": 2, "a/b": 3},
            "/inputs/1/a~1b",
            "row 1, column a/b: unknown column; the model takes x0, x1",
        ),
    ],
)
def test_a_fault_names_row_and_column(row, pointer, detail):
    [fault] = faults_of(FLOWERS, [1, 2], row)

    assert (fault["pointer"], fault["detail"]) == (pointer, detail)


def test_a_single_row_needs_no_number():
    [fault] = faults_of(FLOWERS, {"x0": 1})

    assert fault["detail"] == "column x1: a value is required"


def test_an_unknown_category_is_refused_where_the_model_would_fail():
    [fault] = faults_of(HOUSES, {"rooms": 1, "city": "Rom", "garden": 0})

    assert fault["detail"] == "column city: unknown category 'Rom'; the model knows Bern, Köln"


def test_an_unknown_number_is_refused_where_the_model_would_fail():
    grades = {"name": "grade", "dtype": "float", "categories": [1, 2, 3], "unseen": "error"}
    signature = {**FLOWERS, "inputs": [grades]}

    assert rows_of(signature, [2]).count == 1
    [fault] = faults_of(signature, [4])
    assert fault["detail"] == "column grade: unknown category 4; the model knows 1, 2, 3"


def test_all_faults_are_counted_but_twenty_told():
    with pytest.raises(InvalidRows) as caught:
        rows_of(FLOWERS, *([["a", "b"]] * 30))

    assert (len(caught.value.errors), caught.value.total) == (20, 60)


@pytest.mark.parametrize(
    "forged",
    [
        {},
        {**FLOWERS, "inputs": []},
        {**FLOWERS, "inputs": [{"name": "x", "dtype": "object"}]},
        {**FLOWERS, "inputs": FLOWERS["inputs"] * 2},
        {**FLOWERS, "methods": ["predict", "system"]},
        {**FLOWERS, "outputs": {"predict": {"dtype": "code"}}},
        {**FLOWERS, "outputs": {**FLOWERS["outputs"], "predict_proba": {"classes": [[{}]]}}},
        {**FLOWERS, "outputs": {**FLOWERS["outputs"], "predict_proba": None}},
    ],
)
def test_a_forged_signature_is_refused(forged):
    with pytest.raises(InvalidSignature):
        Signature.from_json(forged)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("12.5", "send 12.5, without quotes"),
        ("12,5", "send 12.5, with a point and without quotes"),
        ("NaN", "a missing value is null"),
        ("", "a missing value is null"),
        ("-Infinity", "infinity is no number that a model takes"),
        (
            "2024-01-31",
            "to this model a date is a number: send the one it was trained with, such as 19753 "
            "(days since 1970-01-01) or 1706659200 (seconds since then)",
        ),
        (
            "2024-01-31T12:00:00+02:00",
            "to this model a date is a number: send the one it was trained with, such as 19753 "
            "(days since 1970-01-01) or 1706695200 (seconds since then)",
        ),
        ("31.01.2024", "to this model a date is a number: send the one it was trained with"),
        ("2024-99-99", "to this model a date is a number: send the one it was trained with"),
    ],
)
def test_a_text_for_a_number_is_refused_with_advice(value, advice):
    [fault] = faults_of(FLOWERS, [1, value])

    assert fault["detail"] == f"column x1: expected a number, got a string; {advice}"


@pytest.mark.parametrize("value", ["tall", "1_000", "x" * 61, "१२"])
def test_of_other_texts_nothing_is_known(value):
    [fault] = faults_of(FLOWERS, [1, value])

    assert fault["detail"] == "column x1: expected a number, got a string"


def test_a_known_range_tells_which_number_a_date_is():
    years = {**FLOWERS, "inputs": [{"name": "year", "dtype": "float", "range": [1990, 2020]}]}

    [fault] = faults_of(years, ["2024-01-31"])

    assert fault["detail"].endswith("trained with, such as 2024 (the year)")


def test_a_truth_in_quotes_is_refused_with_advice():
    [fault] = faults_of(HOUSES, {"rooms": 1, "city": "Bern", "garden": "True"})

    assert fault["detail"] == (
        "column garden: expected a boolean, got a string; send true, without quotes"
    )


@pytest.mark.parametrize("row", [{"x0": 1, "x1": 2, "id": 7}, {"x0": True, "x1": 2, "id": 7}])
def test_unknown_columns_may_be_left_out(row):
    signature = Signature.from_json(FLOWERS)

    rows = signature.to_rows([row], pointers=["/input"], ignore_unknown=True)

    np.testing.assert_array_equal(rows.blocks[0], [[1.0, 2.0]])


def test_a_list_is_never_too_long():
    with pytest.raises(InvalidRows):
        Signature.from_json(FLOWERS).to_rows([[1, 2, 3]], pointers=["/input"], ignore_unknown=True)


OPEN = {
    **FLOWERS,
    "named": True,
    "inputs": [
        {"name": "size", "dtype": "float"},
        {"name": "grade", "dtype": "float", "categories": [1, 2], "nullable": True},
        {"name": "city", "dtype": "string", "categories": ["Bern"], "nullable": True},
        {"name": "a/b", "dtype": "string", "categories": ["x"]},
        {"name": "yes", "dtype": "boolean"},
        {"name": "level", "dtype": "float", "categories": [0]},
    ],
}


def warnings_of(*instances):
    pointers = [f"/inputs/{i}" for i in range(len(instances))]
    signature = Signature.from_json(OPEN)
    rows = signature.to_rows(instances, pointers=pointers)
    return signature.warnings(rows, instances, pointers=pointers)


def test_what_was_seen_in_training_needs_no_warning():
    assert warnings_of([1, 2, "Bern", "x", True, 0], [1, None, None, "x", True, 0]) == []


def test_categories_that_the_model_copes_with_are_told():
    row = {"size": 9, "grade": 3, "city": "Rom", "a/b": "y", "yes": False, "level": 1}

    found = warnings_of(row, [1, 2, "Bern", "z", True, 0])

    assert [(one["pointer"], one["detail"]) for one in found] == [
        (
            "/inputs/0/grade",
            "row 0, column grade: category 3 was not in the training data, which had 1, 2",
        ),
        (
            "/inputs/0/city",
            "row 0, column city: category 'Rom' was not in the training data, which had Bern",
        ),
        (
            "/inputs/0/a~1b",
            "row 0, column a/b: category 'y' was not in the training data, which had x",
        ),
        (
            "/inputs/1/3",
            "row 1, column a/b: category 'z' was not in the training data, which had x",
        ),
        (
            "/inputs/0/level",
            "row 0, column level: category 1 was not in the training data, which had 0",
        ),
    ]
    assert {one["code"] for one in found} == {"unseen_category"}


def test_twenty_warnings_are_enough():
    assert len(warnings_of(*([[1, 2, "Rom", "y", True, 0]] * 30))) == 20


def test_the_example_is_cut_but_for_categories():
    columns = [
        {"name": "size", "dtype": "float"},
        {"name": "grade", "dtype": "float", "categories": [1234.5678]},
        {"name": "rooms", "dtype": "integer"},
        {"name": "garden", "dtype": "boolean"},
        {"name": "city", "dtype": "string", "examples": ["Rom"]},
        {"name": "age", "dtype": "float", "nullable": True},
    ]
    signature = Signature.from_json({**FLOWERS, "inputs": columns})

    row = signature.example([1234.5678, 1234.5678, 3.0, 1.0, "Bern", None], digits=3)

    assert list(row.values()) == [1230.0, 1234.5678, 3, True, "Rom", 0.0]


@pytest.mark.parametrize("examples", ["abc", {"a": 1}, [{"a": 1}, [2], None], 7])
def test_forged_examples_are_left_out(examples):
    columns = [{"name": "size", "dtype": "float", "examples": examples}]

    assert Signature.from_json({**FLOWERS, "inputs": columns}).inputs[0].examples == ()


ALL_KINDS = [
    {"name": "size", "dtype": "float"},
    {"name": "age", "dtype": "float", "nullable": True},
    {"name": "grade", "dtype": "float", "categories": [1, 2], "unseen": "error"},
    {"name": "rooms", "dtype": "integer", "nullable": True},
    {"name": "garden", "dtype": "boolean"},
    {"name": "city", "dtype": "string", "nullable": True},
    {"name": "plan", "dtype": "string", "categories": ["a", "b"], "unseen": "error"},
]
USUAL = [[1, 2.5], [3, None], [1, 2.0], [4, None], [True, False], ["x", None], ["a", "b"]]
STRANGE = [None, True, 0, 1, 7, 2.5, 1e300, 10**400, -(2**60), "x", "a", "1", [1], {"a": 1}]


@pytest.mark.parametrize("kinds", [ALL_KINDS, ALL_KINDS[:2], ALL_KINDS[5:6], ALL_KINDS[:1]])
@pytest.mark.parametrize("strangeness", [0, 0.002, 0.1])
def test_the_quick_ways_answer_as_the_thorough_one(kinds, strangeness):
    signature = Signature.from_json({**FLOWERS, "inputs": kinds})
    random = Random(0)
    for _ in range(60):
        instances = [
            some_row(random, signature, strangeness) for _ in range(random.choice([1, 3, 40]))
        ]
        pointers = [f"/inputs/{i}" for i in range(len(instances))]
        reader = RowReader(
            signature.inputs,
            {column.name: i for i, column in enumerate(signature.inputs)},
            many=len(instances) > 1,
            ignore_unknown=False,
        )
        thorough = [reader.read(row, i, pointers[i]) for i, row in enumerate(instances)]
        if reader.faults:
            with pytest.raises(InvalidRows) as caught:
                signature.to_rows(instances, pointers=pointers)
            assert (caught.value.errors, caught.value.total) == (reader.faults, reader.total)
        else:
            rows = signature.to_rows(instances, pointers=pointers)
            assert rows.count == len(thorough)
            assert_blocks_equal(rows.blocks, signature, thorough)


def some_row(random, signature, strangeness):
    usual = USUAL[5:6] if signature.names == ("city",) else USUAL
    values = [
        random.choice(STRANGE if random.random() < strangeness else usual[i])
        for i in range(len(signature.inputs))
    ]
    row = dict(zip(signature.names, values, strict=True))
    if random.random() < strangeness:
        row.pop(random.choice(signature.names))
        row.update({} if random.random() < 0.5 else {"other": 1})
    return row if random.random() < 0.5 else values


def assert_blocks_equal(blocks, signature, rows):
    columns = []
    for block in blocks:
        columns += [block] if isinstance(block, list) else block.T.tolist()
    for column, found, wanted in zip(
        signature.inputs, columns, zip(*rows, strict=True), strict=True
    ):
        if column.dtype == "string":
            assert found == list(wanted)
        else:
            np.testing.assert_array_equal(found, np.array(wanted, dtype=np.float64))


def test_an_ignored_column_takes_anything():
    signature = Signature.from_json(
        {
            "inputs": [
                {"name": "a", "dtype": "float"},
                {"name": "b", "dtype": "float", "nullable": True, "ignored": True},
            ],
            "named": True,
            "outputs": {"predict": {"dtype": "float", "count": 1}},
        }
    )

    rows = signature.to_rows(
        [{"a": 1.0, "b": "Oslo"}, {"a": 2.0}, {"a": 3.0, "b": [1]}], pointers=["/0", "/1", "/2"]
    )

    assert rows.blocks[0][:, 0].tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(rows.blocks[0][:, 1]).all()
