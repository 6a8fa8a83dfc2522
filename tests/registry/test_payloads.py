from uuid import uuid4

import pytest

from registry.payloads import ALL, NONE, REDACTED, SAMPLED, Payloads

NAMES = ("age", "income")


@pytest.mark.parametrize(("policy", "kept"), [(ALL, 1000), (NONE, 0)])
def test_it_works(policy, kept):
    assert sum(Payloads(policy, 0.5).keeps(uuid4()) for _ in range(1000)) == kept


def test_some_are_kept_and_always_the_same():
    ids = [uuid4() for _ in range(4000)]
    some = Payloads(SAMPLED, 0.25)
    kept = [some.keeps(one) for one in ids]

    assert 800 < sum(kept) < 1200
    assert kept == [some.keeps(one) for one in ids]


@pytest.mark.parametrize(
    ("row", "logged"),
    [
        ({"age": 5, "income": 7}, {"age": 5, "income": REDACTED}),
        ([5, 7], [5, REDACTED]),
        ({"age": 5, "Income": 7}, {"age": 5, "Income": REDACTED}),
        ([5, 7, 9], REDACTED),
        ("7", REDACTED),
    ],
)
def test_redacted_columns_are_in_no_row(row, logged):
    assert Payloads(redacted=frozenset({"income"})).inputs([row], NAMES) == [logged]


def test_without_redaction_rows_stay_as_they_are():
    rows = [{"age": 5, "other": 7}]

    assert Payloads().inputs(rows, NAMES) is rows
