"""A host serves many connections: what waits goes together, who is slow waits alone."""

import struct
import threading
from time import monotonic, sleep

import numpy as np
import pytest

from registry.rows import Rows
from registry.runner import frames
from registry.sandbox import ModelRaised, ModelRefused, NotLoaded

# Answers each row with its sum, and how many rows went through together.
COUNTING = """
import time
import numpy as np
calls = []
def predict(rows, methods):
    time.sleep(0.1)
    calls.append(rows.count)
    table = rows.blocks[0]
    if (table < 0).any():
        raise ValueError('negative')
    answers = {'predict': table.sum(axis=1), 'together': np.full(rows.count, rows.count),
            'names': rows.blocks[1] if len(rows.blocks) > 1 else ['-'] * rows.count,
            'predict_proba': [table, table[:, :1]], 'calls': [list(calls)] * rows.count}
    return {method: answers[method] for method in methods}
"""
METHODS = ["predict", "together", "names", "predict_proba"]


@pytest.fixture
def hosts(runner, load):
    """Ten connections to one child that counts."""
    hosts = [runner.host("counting", kind="estimator") for _ in range(10)]
    load(hosts[0], COUNTING)
    yield hosts
    hosts[0].kill()
    for host in hosts:
        host.close()


def ask_all(hosts, rows_of):
    answers = {}

    def ask(number):
        try:
            answers[number] = hosts[number].predict("model", rows_of(number), METHODS, deadline=10)
        except ModelRaised as error:
            answers[number] = error

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(hosts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_it_works(hosts):
    answer = hosts[0].predict("model", Rows([np.ones((2, 3)), ["x", "y"]], 2), METHODS, deadline=5)

    assert answer["predict"].tolist() == [3.0, 3.0]
    assert answer["names"] == ["x", "y"]
    assert [part.shape for part in answer["predict_proba"]] == [(2, 3), (2, 1)]


def test_what_waits_goes_together_and_comes_back_apart(hosts):
    answers = ask_all(
        hosts, lambda number: Rows([np.full((number + 1, 2), float(number))], number + 1)
    )

    for number, answer in answers.items():
        assert answer["predict"].tolist() == [2.0 * number] * (number + 1)
        assert answer["names"] == ["-"] * (number + 1)
        assert answer["predict_proba"][1].tolist() == [[float(number)]] * (number + 1)
    assert any(answer["together"][0] > number + 1 for number, answer in answers.items())


def test_those_just_answered_go_together_again(runner, load):
    """Else they would take turns with those that waited, and never be together."""
    first, second = (runner.host("slow", kind="estimator") for _ in range(2))
    load(first, COUNTING.replace("sleep(0.1)", "sleep(1)"))
    row = Rows([np.ones((1, 2))], 1)
    together = []

    def ask(host, times):
        for _ in range(times):
            answer = host.predict("model", row, ["together"], deadline=10)
            together.append(int(answer["together"][0]))

    threads = [threading.Thread(target=ask, args=args) for args in ((first, 2), (second, 1))]
    threads[0].start()
    sleep(0.3)  # the second asks while the first is being answered
    threads[1].start()
    for thread in threads:
        thread.join()

    assert together == [1, 2, 2]
    first.kill()
    first.close()
    second.close()


def test_nobody_waits_for_a_client_that_has_gone(hosts):
    ask_all(hosts, lambda _: Rows([np.ones((1, 2))], 1))
    for host in hosts[1:]:
        host.close()

    answer = hosts[0].predict("model", Rows([np.ones((1, 2))], 1), METHODS, deadline=5)
    assert answer["predict"].tolist() == [2.0]


def test_what_is_too_late_when_its_turn_comes_is_not_computed(hosts):
    """The first keeps the model busy for longer than the second waits."""
    entries, buffers = frames.encode_rows(Rows([np.full((7, 2), 1.0)], 7))
    request = {"op": "predict", "digest": "model", "methods": METHODS, "count": 7, "rows": entries}
    first = threading.Thread(
        target=hosts[0].predict,
        args=("model", Rows([np.ones((1, 2))], 1), METHODS),
        kwargs={"deadline": 5},
    )
    first.start()
    sleep(0.03)
    late = frames.pack({**request, "until": monotonic() + 0.01}, buffers)
    frames.send(hosts[1]._connection, late, deadline=monotonic() + 5)
    first.join()
    refusal = frames.receive(hosts[1]._connection, deadline=monotonic() + 5).header

    assert refusal["error"]["code"] == "expired"
    assert hosts[0].predict("model", Rows([np.ones((1, 2))], 1), ["calls"], deadline=5)[
        "calls"
    ] == [[1, 1]]


def test_other_layouts_do_not_mix(hosts):
    answers = ask_all(hosts, lambda number: Rows([np.ones((1, 1 + number % 2))], 1))

    assert [answers[number]["predict"].tolist() for number in range(10)] == [[1.0], [2.0]] * 5


def test_one_bad_row_spoils_nobody_elses(hosts):
    answers = ask_all(
        hosts, lambda number: Rows([np.full((1, 2), -1.0 if number == 4 else 1.0)], 1)
    )

    assert answers.pop(4).reason == "ValueError: negative"
    assert all(answer["predict"].tolist() == [2.0] for answer in answers.values())


def test_a_slow_client_holds_up_nobody(hosts):
    slow = hosts[1]._connection
    slow.send(struct.pack("!II", 100, 1 << 20) + b"{")
    started = monotonic()
    for _ in range(3):
        hosts[0].predict("model", Rows([np.ones((1, 2))], 1), METHODS, deadline=5)

    assert monotonic() - started < 1


def test_a_client_that_does_not_read_its_answer_holds_up_nobody(hosts):
    rows = Rows([np.ones((50_000, 20))], 50_000)
    entries, buffers = frames.encode_rows(rows)
    request = {
        "op": "predict",
        "digest": "model",
        "methods": METHODS,
        "count": 50_000,
        "rows": entries,
    }
    frames.send(hosts[1]._connection, frames.pack(request, buffers), deadline=monotonic() + 5)
    sleep(0.2)

    hosts[0].predict("model", Rows([np.ones((1, 2))], 1), METHODS, deadline=5)
    answer = frames.receive(hosts[1]._connection, deadline=monotonic() + 5)

    assert len(answer.body) == 50_000 * (8 + 8 + 8 * 20 + 8)


def test_garbage_costs_only_the_connection_it_came_by(hosts):
    hosts[1]._connection.send(b"\xff" * 1000)
    hosts[2]._connection.send(b"".join(frames.pack({"op": "predict", "rows": [3], "count": 1})))
    hosts[3]._connection.send(b"".join(frames.pack({"op": "nonsense"})))
    answer = hosts[0].predict("model", Rows([np.ones((1, 2))], 1), METHODS, deadline=5)

    assert answer["predict"].tolist() == [2.0]
    refusal = frames.receive(hosts[3]._connection, deadline=monotonic() + 5).header
    assert refusal["error"]["code"] == "bad_request"


def test_what_a_model_takes_is_measured(runner, load):
    host = runner.fresh_host(kind="graph")
    source = "import numpy as np\nballast = bytearray(b'x') * (180 << 20)\n"
    source += "def predict(rows, methods): return {'predict': np.zeros(rows.count)}"
    facts = [load(host, source, digest) for digest in ("first", "second", "third")]

    assert all(180 << 20 <= one["bytes"] < 181 << 20 for one in facts)
    assert [one["held"] for one in facts] == [1, 2, 2]
    host.close()


def test_models_leave_when_there_is_no_room(runner, load):
    host = runner.fresh_host(kind="graph")
    source = "nbytes = 200 << 20\nimport numpy as np\n"
    source += "def predict(rows, methods): return {'predict': np.zeros(rows.count)}"
    rows = Rows([np.ones((1, 1))], 1)
    for digest in ("first", "second"):
        load(host, source, digest)
    host.predict("first", rows, ["predict"], deadline=5)
    facts = load(host, source, "third")

    assert facts == {"bytes": 200 << 20, "held": 2}
    host.predict("first", rows, ["predict"], deadline=5)
    host.predict("third", rows, ["predict"], deadline=5)
    with pytest.raises(NotLoaded):
        host.predict("second", rows, ["predict"], deadline=5)
    host.close()


def test_loading_again_costs_nothing(runner, load):
    host = runner.fresh_host(kind="graph")
    source = "def predict(rows, methods): return {'predict': rows.blocks[0][:, 0]}"
    load(host, source)
    load(host, "raise ValueError('this is not even opened')")
    host.close()


def test_a_model_that_does_not_load_is_refused_and_the_others_stay(hosts, load):
    with pytest.raises(ModelRefused) as refused:
        load(hosts[0], "raise ValueError('broken')", "other")

    assert refused.value.code == "unreadable"
    assert "ValueError: broken" in refused.value.reason
    answer = hosts[0].predict("model", Rows([np.ones((1, 2))], 1), METHODS, deadline=5)
    assert answer["predict"].tolist() == [2.0]


def test_a_model_larger_than_its_room(runner, load):
    host = runner.fresh_host(kind="estimator")

    with pytest.raises(ModelRefused) as refused:
        load(host, "x = bytearray(10 << 30)")

    assert refused.value.code == "out_of_memory"
    host.close()
