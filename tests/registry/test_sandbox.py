"""The trusted client against the real runner, and against children that lie."""

import io
import os
import pickle
import socket
import struct
import threading
from time import monotonic, sleep

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from registry.plain_text import MAX_VALUES
from registry.reports import Unusable, scan_report
from registry.rows import Rows
from registry.runner import frames
from registry.sandbox import (
    BadReply,
    ChildDied,
    ChildTimedOut,
    Host,
    ModelRaised,
    ModelRefused,
    NotLoaded,
    Runner,
    RunnerUnavailable,
)
from tests.registry.waiting import eventually

ONE = Rows([np.zeros((1, 2))], 1)
SUM = """
import numpy as np
def predict(rows, methods):
    return {method: rows.blocks[0].sum(axis=1) for method in methods}
"""


@pytest.fixture
def host(runner):
    host = runner.fresh_host(kind="estimator")
    yield host
    host.close()


def test_it_works(real_runner, artifact):
    features, species = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(features, species)
    saved = io.BytesIO()
    joblib.dump(model, saved)
    file = artifact(saved.getvalue())

    inspection = real_runner.inspect(file, fmt="sklearn", deadline=30)
    host = real_runner.host("iris", kind="estimator")
    facts = host.load(
        "d", file, fmt="sklearn", signature=inspection.report["signature"], deadline=10
    )
    answer = host.predict("d", Rows([features], 150), ["predict", "predict_proba"], deadline=5)
    host.close()

    assert inspection.report["estimator"]["final"] == "LogisticRegression"
    assert facts["bytes"] > 0
    assert answer["predict"].tolist() == model.predict(features).tolist()
    assert answer["predict_proba"] == pytest.approx(model.predict_proba(features), rel=1e-12)


def test_a_compiled_graph_answers_alike(real_runner, artifact):
    features, species = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(features, species)
    file = artifact(pickle.dumps(model))

    inspection = real_runner.inspect(file, fmt="sklearn", deadline=30)
    host = real_runner.fresh_host(kind="graph")
    signature = inspection.report["signature"]
    graph = artifact(inspection.graphs[0])
    host.load("g", graph, fmt="graph", signature=signature, deadline=10)
    answer = host.predict("g", Rows([features], 150), ["predict", "predict_proba"], deadline=5)
    host.close()

    assert answer["predict"].tolist() == model.predict(features).tolist()
    assert answer["predict_proba"] == pytest.approx(model.predict_proba(features), rel=1e-5)


def test_a_hostile_pickle_is_refused(real_runner, artifact):
    class Hostile:
        def __reduce__(self):
            return os.system, ("touch /tmp/breakout",)

    with pytest.raises(ModelRefused) as refused:
        real_runner.inspect(artifact(pickle.dumps(Hostile())), fmt="sklearn", deadline=10)

    assert refused.value.code == "hostile"
    assert "system" in refused.value.reason
    assert not os.path.exists("/tmp/breakout")


def test_a_scan_opens_nothing(real_runner, artifact):
    class Hostile:
        def __reduce__(self):
            return os.system, ("true",)

    report = real_runner.scan(artifact(pickle.dumps(Hostile())), deadline=10)

    assert report["format"] == "sklearn"
    assert report["imports"] == ["posix.system"]
    assert report["findings"] == [
        {
            "severity": "dangerous",
            "what": "posix.system",
            "at": 39,
            "detail": "Loading would call posix.system with 1 argument, at byte 39.",
        }
    ]


def a_scan(**changes):
    finding = {"severity": "unknown", "what": "a.b", "at": 1, "detail": "It imports a.b."}
    return {"format": "sklearn", "imports": ["a.b"], "findings": [finding], **changes}


@pytest.mark.parametrize(
    "report",
    [
        None,
        [],
        a_scan(format="elf"),
        a_scan(imports=None),
        a_scan(imports=["a"] * 501),
        a_scan(imports=[1]),
        a_scan(findings={}),
        a_scan(findings=[None]),
        a_scan(findings=[{"severity": "fine", "what": "a", "at": 1, "detail": "b"}]),
        a_scan(findings=[{"severity": "unknown", "what": "a", "at": -1, "detail": "b"}]),
        a_scan(findings=[{"severity": "unknown", "what": "a", "at": True, "detail": "b"}]),
        a_scan(findings=[{"severity": "unknown", "what": "a", "detail": "b"}]),
        a_scan(findings=[{"severity": "unknown", "what": [[]], "at": 1, "detail": "b"}]),
    ],
)
def test_a_scan_of_another_shape_is_refused(report):
    with pytest.raises(Unusable):
        scan_report(report)


def test_a_scan_is_cut_to_what_was_promised():
    finding = {"severity": "unknown", "what": "a\x00", "at": 1, "detail": "b\u202e", "more": 1}

    assert scan_report(a_scan(findings=[finding], more=[1])) == {
        "format": "sklearn",
        "imports": ["a.b"],
        "findings": [{"severity": "unknown", "what": "a", "at": 1, "detail": "b"}],
    }


def test_the_fences_are_up(real_runner):
    fences = real_runner.status()["fences"]

    assert fences["complete"]
    assert fences["broken"] == {}
    assert fences["seccomp"]
    assert fences["uid_drop"] is (os.geteuid() == 0)


def test_the_same_key_is_the_same_child(runner):
    connections = [runner.host(key, kind="graph") for key in ("a", "a", "b")]
    keys = [child["key"] for child in runner.status()["children"]]
    for connection in connections:
        connection.kill()
        connection.close()

    assert keys == ["a", "b"]


def test_what_one_client_loads_the_others_have(runner, load):
    first, second = (runner.host("shared", kind="estimator") for _ in range(2))
    load(first, SUM)

    assert second.predict("model", ONE, ["predict"], deadline=5)["predict"].tolist() == [0.0]
    first.kill()
    first.close()
    second.close()


def test_two_threads_may_ask_the_runner_at_once(runner):
    connections = []

    def connect():
        connections.append(runner.host("threads", kind="graph"))

    threads = [threading.Thread(target=connect) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({connection.child for connection in connections}) == 1
    connections[0].kill()
    for connection in connections:
        connection.close()


def test_a_model_that_is_not_there_is_to_be_loaded(host):
    with pytest.raises(NotLoaded):
        host.predict("model", ONE, ["predict"], deadline=5)


def test_a_models_exception_is_its_own(host, load):
    load(host, "def predict(rows, methods): raise ValueError('no \\x1b[31m\\u202e' + 'x' * 999)")

    with pytest.raises(ModelRaised) as raised:
        host.predict("model", ONE, ["predict"], deadline=5)

    assert raised.value.code == "model_raised"
    assert raised.value.reason.startswith("ValueError: no [31mxxx")
    assert len(raised.value.reason) <= 300


@pytest.mark.parametrize(
    "raising",
    [
        "raise SystemExit(3)",
        "raise MemoryError",
        "raise ValueError('\\ud800')",
        "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()",
        "return {'predict': [1]}, 2",
        "return {'predict': np.zeros(7)}",
        "return {'predict': [object()]}",
        "return {'predict': np.zeros(1, dtype=complex)}",
        "return {'predict': ['\\ud800']}",
    ],
)
def test_odd_answers_are_the_models_fault_and_it_lives_on(host, load, raising):
    load(host, f"import numpy as np\ndef predict(rows, methods):\n    {raising}")

    for _ in range(2):
        with pytest.raises(ModelRaised):
            host.predict("model", ONE, ["predict"], deadline=5)


def test_an_endless_model_is_killed_and_others_live(runner, host, load):
    other = runner.fresh_host(kind="estimator")
    load(other, SUM)
    load(host, "def predict(rows, methods):\n    while True: pass")

    with pytest.raises(ChildTimedOut):
        host.predict("model", ONE, ["predict"], deadline=0.3)

    assert other.predict("model", ONE, ["predict"], deadline=5)["predict"].tolist() == [0.0]
    other.close()
    assert eventually(lambda: runner.status()["children"] == [])


def test_a_crash_is_told_with_its_cause(host, load):
    load(host, "import ctypes\ndef predict(rows, methods): ctypes.string_at(1)")

    with pytest.raises(ChildDied) as died:
        host.predict("model", ONE, ["predict"], deadline=5)

    assert died.value.code == "model_crashed"
    assert died.value.reason == "The model's process ended by SIGSEGV."


def test_a_host_that_ended_before_is_nobodys_fault(runner, load):
    host = runner.host("gone", kind="estimator")
    load(host, SUM)
    host.kill()
    assert eventually(lambda: runner.status()["children"] == [])

    with pytest.raises(ChildDied) as died:
        host.predict("model", ONE, ["predict"], deadline=5)

    assert died.value.code == "host_gone"
    fresh = runner.host("gone", kind="estimator")
    load(fresh, SUM)
    assert fresh.predict("model", ONE, ["predict"], deadline=5)["predict"].tolist() == [0.0]
    fresh.kill()
    fresh.close()


def test_a_fresh_host_ends_with_its_connection(runner):
    assert eventually(lambda: runner.status()["children"] == [])  # what others have killed
    host = runner.fresh_host(kind="estimator")
    assert len(runner.status()["children"]) == 1
    host.close()

    assert eventually(lambda: runner.status()["children"] == [])


def test_without_a_runner():
    with pytest.raises(RunnerUnavailable):
        Runner("/nonexistent/runner.sock").status()


def test_a_runner_that_does_not_answer(tmp_path_factory):
    path = f"/tmp/mlp-deaf-{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as deaf:
        deaf.bind(path)
        deaf.listen()
        started = monotonic()
        with pytest.raises(RunnerUnavailable):
            Runner(path).host("a", kind="graph", timeout=0.2)
    os.unlink(path)

    assert monotonic() - started < 1


def test_a_writable_descriptor_reaches_the_child_read_only(runner, artifact):
    source = "import os\ntry:\n    os.write(5, b'x'); said = 'written'\nexcept OSError: said = 'no'"
    said = set()
    for fd in (3, 4, 5):
        file = artifact(source.replace("5", str(fd), 1))
        try:
            said.add(runner.inspect(file, fmt="sklearn", deadline=5).report["said"])
        except BadReply:
            pass  # it wrote into its own connection
        assert os.pread(file, 9, 0) == b"import os"

    assert "no" in said


def test_texts_of_a_report_are_cleaned(runner, artifact):
    source = r"said = {'na\x00me': ['<b>\u202e' + 'y' * 999, 1.5, None, True], 'deep': [[[[1]]]]}"

    said = runner.inspect(artifact(source), fmt="sklearn", deadline=5).report["said"]

    assert said == {"name": ["<b>" + "y" * 296, 1.5, None, True], "deep": [[[[1]]]]}


def test_a_report_without_end_is_cut(runner, artifact):
    source = "said = [[0] * 1000] * 2000"

    said = runner.inspect(artifact(source), fmt="sklearn", deadline=10).report["said"]

    assert sum(len(part) for part in said) <= MAX_VALUES


def test_graphs_come_back_whole(runner, artifact):
    source = "graphs = [b'a' * 3, b'b' * 100_000]"

    assert runner.inspect(artifact(source), fmt="sklearn", deadline=5).graphs == [
        b"aaa",
        b"b" * 100_000,
    ]


FORGERIES = {
    "garbage": b"\xff" * 100,
    "a length beyond all": struct.pack("!II", 0xFFFFFFFF, 0xFFFFFFFF),
    "no JSON": struct.pack("!II", 4, 0) + b"what",
    "no object": struct.pack("!II", 4, 0) + b"null",
    "two answers": (struct.pack("!II", 2, 0) + b"{}") * 2,
    "nothing asked for": struct.pack("!II", 2, 0) + b"{}",
    "another shape": b"".join(
        frames.pack({"outputs": {"predict": {"dtype": "float64", "shape": [9]}}}, [bytes(72)])
    ),
}


@pytest.fixture
def liar(runner):
    """A Host whose other end is the test."""
    ours, theirs = socket.socketpair()
    host = Host(runner, -1, ours)
    with theirs:
        yield host, theirs
    host.close()


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_forged_answers(liar, forgery):
    host, child = liar

    def answer():
        child.recv(1 << 16)
        child.send(forgery)

    answering = threading.Thread(target=answer)
    answering.start()
    with pytest.raises(BadReply):
        host.predict("model", ONE, ["predict"], deadline=5)
    answering.join()


def test_an_answer_before_the_question(liar):
    host, child = liar
    child.send(struct.pack("!II", 2, 0) + b"{}")

    with pytest.raises(BadReply):
        host.predict("model", ONE, ["predict"], deadline=5)


def test_a_forged_answer_from_inside(runner, host, load):
    """The model writes into its own connection: the next question notices, and it is killed."""
    forge = """
import os, numpy as np
def predict(rows, methods):
    for fd in range(3, 8):
        try: os.write(fd, b'\\0\\0\\0\\2\\0\\0\\0\\0{}')
        except OSError: pass
    return {'predict': np.zeros(1)}
"""
    load(host, forge)

    with pytest.raises(BadReply):
        _ask_twice(host)

    assert eventually(lambda: runner.status()["children"] == [])


def _ask_twice(host):
    for _ in range(2):
        host.predict("model", ONE, ["predict"], deadline=5)


def test_half_an_answer_and_no_more(liar):
    host, child = liar
    child.send(b"")
    threading.Timer(0.05, child.send, [struct.pack("!II", 100, 0) + b"{"]).start()

    with pytest.raises(ChildTimedOut):
        host.predict("model", ONE, ["predict"], deadline=0.3)


def test_a_closed_connection(liar):
    host, child = liar

    def leave():
        child.recv(1 << 16)
        sleep(0.02)
        child.shutdown(socket.SHUT_RDWR)

    leaving = threading.Thread(target=leave)
    leaving.start()
    with pytest.raises(ChildDied):
        host.predict("model", ONE, ["predict"], deadline=5)
    leaving.join()


def test_refusals_have_clean_codes(liar):
    host, child = liar

    def refuse():
        child.recv(1 << 16)
        error = {"code": "<script>", "reason": "a\x00b\nc"}
        child.send(b"".join(frames.pack({"error": error})))

    refusing = threading.Thread(target=refuse)
    refusing.start()
    with pytest.raises(ModelRefused) as refused:
        host.ask({"op": "load"}, deadline=5)
    refusing.join()

    assert refused.value.code == "unreadable"
    assert refused.value.reason == "ab c"


def test_labels_are_cleaned(host, load):
    load(host, "def predict(rows, methods): return {'predict': ['a\\x00\\u202eb\\u200d']}")

    assert host.predict("model", ONE, ["predict"], deadline=5) == {"predict": ["ab\u200d"]}
