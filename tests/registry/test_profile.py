import numpy as np
import pytest

from registry.inputs import Input
from registry.profile import describe, described, profile_of
from registry.signature import Signature
from tests.inference.served import make_signature

AGE = Input("age", "float", nullable=True)
CITY = Input("city", "string", nullable=True)


def test_a_column_of_numbers():
    about = describe(AGE, [1.0, 2.0, None, 3.0, 3.0])

    assert about == {
        "name": "age",
        "missing": 0.2,
        "distinct": 3,
        "examples": [1.0, 2.0, 3.0],
        "min": 1.0,
        "max": 3.0,
        "mean": 2.25,
        "quantiles": {
            "0.05": pytest.approx(1.15),
            "0.25": 1.75,
            "0.5": 2.5,
            "0.75": 3.0,
            "0.95": 3.0,
        },
        "histogram": about["histogram"],
    }
    assert sum(about["histogram"]["counts"]) == 4


def test_bins_hold_about_as_many_rows_each():
    values = np.random.default_rng(0).lognormal(10, 1, 5000).tolist()

    histogram = describe(AGE, values)["histogram"]

    assert (len(histogram["edges"]), len(histogram["counts"])) == (21, 20)
    assert histogram["counts"] == [250] * 20
    assert histogram["edges"] == sorted(histogram["edges"])


def test_one_value_is_a_bin_of_its_own():
    assert describe(AGE, [7, 7])["histogram"] == {"edges": [7.0, 7.0], "counts": [2]}


def test_a_column_of_texts():
    about = describe(CITY, ["Oslo", "Rom", None, "Oslo"])

    assert about == {
        "name": "city",
        "missing": 0.25,
        "distinct": 2,
        "examples": ["Oslo", "Rom"],
        "top": [{"value": "Oslo", "count": 2}, {"value": "Rom", "count": 1}],
    }


def test_what_is_shown_is_clean():
    about = describe(CITY, ["a\x00b\u202e" + "x" * 400])

    assert about["examples"] == ["ab" + "x" * 296]
    assert about["top"][0]["value"] == about["examples"][0]


def test_a_column_without_any_value():
    assert describe(AGE, [None, None]) == {
        "name": "age",
        "missing": 1.0,
        "distinct": 0,
        "examples": [],
    }


def test_booleans_are_shown_as_such():
    assert describe(Input("yes", "boolean"), [True, 0, 1.0])["examples"] == [True, False]


def test_integers_are_shown_as_such():
    assert repr(describe(Input("rooms", "integer"), [3.0, 4])["examples"]) == "[3, 4]"


def test_examples_begin_with_a_row_that_is_whole():
    signature = make_signature(AGE, CITY)
    instances = [[None, "Oslo"], [30, None], [40, "Rom"]]

    profile = profile_of(signature, instances, of_rows=100)
    shown = described(signature, profile)

    assert (profile["rows"], profile["of_rows"]) == (3, 100)
    assert shown.example() == {"age": 40, "city": "Rom"}
    assert shown.inputs[0].range == (30.0, 40.0)
    assert shown.inputs[1].range is None
    assert Signature.from_json(shown.to_json()) == shown
