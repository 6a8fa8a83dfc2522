from dataclasses import replace

import numpy as np

from registry.probe_rows import as_instances, golden_rows, make_rows, typical_row
from registry.signature import Signature

SIGNATURE = Signature.from_json(
    {
        "inputs": [
            {"name": "age", "dtype": "float", "nullable": True},
            {"name": "city", "dtype": "string", "categories": ["Bern", "Köln"], "unseen": "error"},
            {"name": "height", "dtype": "float"},
        ],
        "named": True,
        "outputs": {"predict": {"dtype": "integer", "count": 1}},
    }
)
HINTS = [{"center": 40, "scale": 10, "splits": [35.1]}, {}, {"center": 170, "scale": 5}]


def test_it_works():
    rows = make_rows(SIGNATURE, HINTS, count=400)

    ages, cities, heights = rows.blocks
    assert (ages.shape, len(cities), heights.shape) == ((400, 1), 400, (400, 1))
    assert set(cities) == {"Bern", "Köln"}
    assert 0 < np.isnan(ages).sum() < 100
    assert abs(np.median(heights) - 170) < 3


def test_it_stands_on_thresholds_and_one_step_beside():
    ages = make_rows(SIGNATURE, HINTS, count=400).blocks[0]

    for neighbour in (35.1, np.nextafter(35.1, np.inf), float(np.float32(35.1))):
        assert neighbour in ages


def test_the_same_seed_gives_the_same_rows():
    one, other = make_rows(SIGNATURE, HINTS, seed=3), make_rows(SIGNATURE, HINTS, seed=3)

    np.testing.assert_array_equal(one.blocks[0], other.blocks[0])


def test_hints_from_a_hostile_child_do_no_harm():
    forged = [{"center": "x", "scale": None, "splits": [None, 1e308, {}]}, {"categories": 5}]
    free = replace(SIGNATURE.inputs[1], categories=None, unseen="ok")
    signature = replace(SIGNATURE, inputs=(SIGNATURE.inputs[0], free, SIGNATURE.inputs[2]))

    assert make_rows(signature, forged).count == 2000


def test_a_typical_row_is_complete():
    assert as_instances(SIGNATURE, typical_row(SIGNATURE, HINTS)) == [[40.0, "Bern", 170.0]]


def test_a_model_of_positive_numbers_gets_no_others():
    heights = make_rows(SIGNATURE, [{}, {}, {"center": 0, "positive": True}]).blocks[2]

    assert heights.min() > 0


def test_golden_rows_are_the_inputs_of_the_examples():
    golden = {"input": [None, "Bern", 170.0], "more": [{"input": [40.0, "Köln", 150.5]}]}

    assert as_instances(SIGNATURE, golden_rows(SIGNATURE, golden)) == [
        [None, "Bern", 170.0],
        [40.0, "Köln", 150.5],
    ]


def test_rows_are_joined_and_cut():
    rows = make_rows(SIGNATURE, HINTS, count=50)

    both = rows.first(2).and_then(rows.first(1))

    assert (both.count, len(both.blocks[1])) == (3, 3)
    assert as_instances(SIGNATURE, both)[2] == as_instances(SIGNATURE, rows)[0]
