from uuid import UUID

import numpy as np
import pytest
import redis as redis_client

from inference import prediction_cache
from mlplatform.foundation import redis
from registry.rows import Rows
from registry.signature import Input
from tests.inference.served import make_served, make_signature

METHODS = ("predict",)
MIXED = make_served(
    signature=make_signature(
        Input("a", "float", nullable=True), Input("c", "string", nullable=True), Input("b", "float")
    )
)


def key(row, *, served=None, methods=METHODS):
    served = served or make_served()
    [only] = prediction_cache.keys_for(
        served, methods, served.signature.to_rows([row], pointers=["/input"])
    )
    return only


def read(keys):
    return prediction_cache.load(redis.client().mget(keys))


def test_it_works():
    keys = [key([1, 2]), key([3, 4])]
    prediction_cache.write(keys, [("yes", {"no": 0.25, "yes": 0.75}), (None, None)])

    assert read(keys) == [("yes", {"no": 0.25, "yes": 0.75}), (None, None)]


def test_unknown_rows_are_none():
    known, unknown = key([1, 2]), key([3, 4])
    prediction_cache.write([known], [(1.5, None)])

    assert read([unknown, known]) == [None, (1.5, None)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], [1.0, 2.0]),
        ([0.0, 2], [-0.0, 2]),
        ([1, 2], {"b": 2, "a": 1}),
        ([None, 2], {"b": 2}),
    ],
)
def test_the_same_row_has_the_same_key(one, other):
    assert key(one) == key(other)


def test_every_nan_is_the_same():
    odd = np.array([[np.nan, 1.0]])
    odd.view(np.uint64)[0, 0] |= 0x8000000000000001
    usual = np.array([[np.nan, 1.0]])
    served = make_served()

    assert odd.tobytes() != usual.tobytes()
    assert prediction_cache.keys_for(served, METHODS, Rows([odd], 1)) == (
        prediction_cache.keys_for(served, METHODS, Rows([usual], 1))
    )


def test_it_leaves_the_rows_alone():
    block = np.array([[-0.0, 1.0]])

    prediction_cache.keys_for(make_served(), METHODS, Rows([block], 1))

    assert np.signbit(block[0, 0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], [2, 1]),
        ([1, 2], [1, np.nextafter(2, 3)]),
        ([None, 2], [0, 2]),
    ],
)
def test_other_rows_have_other_keys(one, other):
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, "ab", 2], [1, "a", 2]),
        ([1, None, 2], [1, "", 2]),
        ([1, "\xff\xff\xff\xff", 2], [1, None, 2]),
        ([1, "é", 2], [1, "e\u0301", 2]),
    ],
)
def test_other_texts_have_other_keys(one, other):
    assert key(one, served=MIXED) != key(other, served=MIXED)


def test_texts_do_not_run_into_each_other():
    served = make_served(signature=make_signature(Input("a", "string"), Input("b", "string")))

    assert key(["ab", "c"], served=served) != key(["a", "bc"], served=served)


@pytest.mark.parametrize("change", [{"organization_id": UUID(int=9)}, {"digest": "c" * 64}])
def test_another_tenant_or_artifact_has_other_keys(change):
    assert key([1, 2]) != key([1, 2], served=make_served(**change))


def test_another_method_has_other_keys():
    assert key([1, 2]) != key([1, 2], methods=("predict", "predict_proba"))


def test_a_row_has_its_key_alone_and_among_others():
    signature = MIXED.signature
    rows = signature.to_rows([[1, "x", 2], [3, "y", 4]], pointers=["/inputs/0", "/inputs/1"])

    assert prediction_cache.keys_for(MIXED, METHODS, rows) == [
        key([1, "x", 2], served=MIXED),
        key([3, "y", 4], served=MIXED),
    ]


def test_answers_expire(settings):
    settings.PREDICTION_CACHE_SECONDS = 1000
    keys = [key([number, 0]) for number in range(50)]
    prediction_cache.write(keys, [(1, None)] * 50)

    lifetimes = {redis.client().ttl(key) for key in keys}
    assert min(lifetimes) >= 899
    assert max(lifetimes) <= 1100
    assert len(lifetimes) > 10


def test_it_can_be_switched_off(settings):
    settings.PREDICTION_CACHE_SECONDS = 0
    rows = make_signature().to_rows([[1, 2]], pointers=["/input"])

    assert prediction_cache.keys_for(make_served(), METHODS, rows) == []


def test_very_many_rows_pass_it_by():
    rows = Rows([np.zeros((prediction_cache.MAX_ROWS + 1, 2))], prediction_cache.MAX_ROWS + 1)

    assert prediction_cache.keys_for(make_served(), METHODS, rows) == []


def test_without_redis_there_is_no_cache(monkeypatch):
    dead = redis_client.Redis.from_url("unix:///nonexistent/redis.sock")
    monkeypatch.setattr(redis, "client", lambda: dead)

    prediction_cache.write([key([1, 2])], [(1, None)])
