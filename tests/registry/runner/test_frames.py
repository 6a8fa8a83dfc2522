import os
import socket
import struct
import threading
from time import monotonic, sleep

import numpy as np
import pytest

from registry.rows import Rows
from registry.runner import frames


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def soon(seconds=2.0):
    return monotonic() + seconds


def test_it_works(pair):
    ours, theirs = pair

    frames.send(ours, frames.pack({"op": "x"}, [b"1234"]), deadline=soon())
    frame = frames.receive(theirs, deadline=soon())

    assert frame.header == {"op": "x"}
    assert bytes(frame.body) == b"1234"


def test_more_than_the_kernel_holds_at_once(pair):
    ours, theirs = pair
    body = os.urandom(5 << 20)
    sender = threading.Thread(
        target=frames.send, args=(ours, frames.pack({}, [body])), kwargs={"deadline": soon(10)}
    )
    sender.start()
    frame = frames.receive(theirs, deadline=soon(10))
    sender.join()

    assert bytes(frame.body) == body


def test_more_pieces_than_one_write_takes(pair):
    ours, theirs = pair

    frames.send(ours, frames.pack({}, [b"ab"] * 3000), deadline=soon())

    assert bytes(frames.receive(theirs, deadline=soon()).body) == b"ab" * 3000


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("!II", frames.MAX_HEADER + 1, 0),
        struct.pack("!II", 2, frames.MAX_BODY + 1),
        struct.pack("!II", 2, 0) + b"[]",
        struct.pack("!II", 3, 0) + b"NaN",
        struct.pack("!II", 9, 0) + b'{"a":NaN}',
        struct.pack("!II", 2, 0) + b"{}" + b"more",
        struct.pack("!II", 4000, 0) + b"[" * 4000,
    ],
)
def test_what_is_no_frame_is_refused_before_it_is_read(pair, content):
    ours, theirs = pair
    theirs.send(content)

    with pytest.raises(frames.Malformed):
        frames.receive(ours, deadline=soon())


def test_a_slow_drip_does_not_outlive_the_deadline(pair):
    ours, theirs = pair
    stop = threading.Event()

    def drip():
        for byte in struct.pack("!II", 1000, 0) + b" " * 1000:
            if stop.wait(0.02):
                return
            theirs.send(bytes([byte]))

    dripping = threading.Thread(target=drip)
    dripping.start()
    started = monotonic()
    with pytest.raises(frames.TimedOut):
        frames.receive(ours, deadline=soon(0.3))
    stop.set()
    dripping.join()

    assert 0.3 <= monotonic() - started < 0.6


def test_who_does_not_read_is_not_waited_for(pair):
    ours, _ = pair

    with pytest.raises(frames.TimedOut):
        frames.send(ours, frames.pack({}, [bytes(8 << 20)]), deadline=soon(0.2))


def test_an_early_answer_is_noticed(pair):
    ours, theirs = pair
    frames.check_quiet(ours)
    theirs.send(b"x")

    with pytest.raises(frames.Malformed):
        frames.check_quiet(ours)


def test_a_peer_that_closed_unread_never_saw_it(pair):
    ours, theirs = pair
    frames.send(ours, frames.pack({}), deadline=soon())
    theirs.close()

    with pytest.raises(frames.Closed) as closed:
        frames.receive(ours, deadline=soon())

    assert closed.value.unread


def test_a_peer_that_closed_after_reading_may_have_acted(pair):
    ours, theirs = pair
    frames.send(ours, frames.pack({}), deadline=soon())
    frames.receive(theirs, deadline=soon())
    theirs.close()

    with pytest.raises(frames.Closed) as closed:
        frames.receive(ours, deadline=soon())

    assert not closed.value.unread


def test_nothing_larger_than_a_frame_is_sent():
    with pytest.raises(frames.TooLarge):
        frames.pack({"text": "x" * frames.MAX_HEADER})


def travelled(header_and_buffers, pair):
    entries, buffers = header_and_buffers
    ours, theirs = pair
    frames.send(ours, frames.pack({"it": entries}, buffers), deadline=soon())
    frame = frames.receive(theirs, deadline=soon())
    return frame.header["it"], frame.body


def test_rows_travel_exactly(pair):
    floats = np.array([[0.1, np.nan], [np.inf, -0.0], [5e-324, 1e308]])
    rows = Rows([floats, ["ä", None, ""], floats[:, :1]], 3)

    entries, body = travelled(frames.encode_rows(rows), pair)
    back = frames.decode_rows(entries, count=3, body=body)

    assert back.count == 3
    assert back.blocks[0].tobytes() == floats.tobytes()
    assert back.blocks[1] == ["ä", None, ""]
    assert back.blocks[2].tobytes() == floats[:, :1].tobytes()
    assert back.blocks[0].flags.writeable  # some estimators work in place
    assert back.blocks[0].flags.aligned


@pytest.mark.parametrize(
    ("entries", "count", "size"),
    [
        ([{"width": 2}], 3, 40),
        ([{"width": 2}], 3, 56),
        ([{"width": -1}], 3, 0),
        ([{"width": 1 << 40}], 3, 0),
        ([{"width": 2}], -1, 0),
        ([{"width": 2}], None, 0),
        ([{"strings": ["a"]}], 3, 0),
        ("rows", 3, 0),
    ],
)
def test_rows_that_do_not_add_up(entries, count, size):
    with pytest.raises(frames.Malformed):
        frames.decode_rows(entries, count=count, body=memoryview(bytearray(size)))


def test_outputs_travel_exactly(pair):
    outputs = {
        "predict": np.array([1, -(2**62)]),
        "decision": np.array([[0.1, np.nan], [np.inf, -0.0]]),
        "flag": np.array([True, False]),
        "labels": ["a", "b"],
        "pairs": [["a", "x"], ["b", "y"]],
        "predict_proba": [np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[1.0], [1.0]])],
        "objects": np.array(["u", "v"], dtype=object),
    }

    entries, body = travelled(frames.encode_outputs(outputs), pair)
    back = frames.decode_outputs(entries, body=body, count=2, methods=list(outputs))

    assert back["predict"].dtype == np.int64
    assert back["predict"].tolist() == [1, -(2**62)]
    assert back["decision"].tobytes() == outputs["decision"].tobytes()
    assert back["flag"].dtype == bool
    assert back["flag"].tolist() == [True, False]
    assert back["labels"] == ["a", "b"]
    assert back["pairs"] == [["a", "x"], ["b", "y"]]
    assert [part.tolist() for part in back["predict_proba"]] == [
        [[0.5, 0.5], [1.0, 0.0]],
        [[1.0], [1.0]],
    ]
    assert back["objects"] == ["u", "v"]


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        ({"dtype": "float64", "shape": [3]}, 24),  # rows that nobody sent
        ({"dtype": "float64", "shape": [2]}, 8),
        ({"dtype": "float64", "shape": [2]}, 24),
        ({"dtype": "float64", "shape": [2, -1]}, 16),
        ({"dtype": "float64", "shape": [2, 1 << 62]}, 16),
        ({"dtype": "float64", "shape": [2, 1, 1]}, 16),
        ({"dtype": "float64", "shape": 2}, 16),
        ({"dtype": "float64", "shape": [True, True]}, 8),
        ({"dtype": "object", "shape": [2]}, 16),
        ({"dtype": ["float64"], "shape": [2]}, 16),
        ({"labels": ["a"]}, 0),
        ({"labels": [{"a": 1}, {"b": 2}]}, 0),
        ({"labels": [["a"], ["a", "b"]]}, 0),
        ({"labels": [["a"], "b"]}, 0),
        ({"labels": [[["a"]], [["b"]]]}, 0),
        ({"each": []}, 0),
        ({"each": [{"labels": ["a", "b"]}]}, 0),
        ({"each": [3]}, 0),
        ("float64", 0),
        (None, 0),
    ],
)
def test_outputs_that_were_not_asked_for(entry, size):
    with pytest.raises(frames.Malformed):
        frames.decode_outputs(
            {"predict": entry}, body=memoryview(bytearray(size)), count=2, methods=["predict"]
        )


@pytest.mark.parametrize("entries", [None, [], {}, {"other": {"labels": ["a"]}}])
def test_methods_that_were_not_asked_for(entries):
    with pytest.raises(frames.Malformed):
        frames.decode_outputs(entries, body=memoryview(b""), count=1, methods=["predict"])


def test_a_byte_that_is_no_boolean_becomes_one():
    entry = {"predict": {"dtype": "bool", "shape": [3]}}

    back = frames.decode_outputs(
        entry, body=memoryview(b"\x00\x02\xff"), count=3, methods=["predict"]
    )

    assert back["predict"].tobytes() == b"\x00\x01\x01"


def test_waiting_costs_no_time_when_the_answer_is_there(pair):
    ours, theirs = pair
    frames.send(theirs, frames.pack({}), deadline=soon())
    sleep(0.01)

    assert frames.receive(ours, deadline=soon(0.001)).header == {}
