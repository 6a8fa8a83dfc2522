import pytest

from registry import caching


@pytest.mark.parametrize(
    ("policy", "parity", "is_graph", "serves"),
    [
        ("auto", {"original_ms": 5.0, "graph_ms": 0.12}, True, False),
        ("auto", {"original_ms": 5.0, "graph_ms": 0.12}, False, True),
        ("auto", {"original_ms": 0.4}, False, False),
        ("auto", {}, False, True),
        ("always", {"original_ms": 0.1}, False, True),
        ("never", {"original_ms": 50.0}, False, False),
    ],
)
def test_it_works(policy, parity, is_graph, serves):
    assert caching.decide(policy, parity, is_graph=is_graph).serves == serves


def test_the_reason_has_the_measure():
    reason = caching.decide("auto", {"graph_ms": 0.123}, is_graph=True).reason

    assert reason == "One row takes 0.12 ms: remembering it would cost as much (0.5 ms)."
