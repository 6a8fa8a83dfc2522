"""Some hundreds of hostile files through the real runner, as an admission takes them.

Whatever is tried: nothing happens outside of the child, there is a reason for people, and the
next honest model is served.
"""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from registry.formats import GRAPH
from registry.rows import Rows
from registry.sandbox import Runner, SandboxError
from registry.signature import InvalidSignature, Signature
from tests import hostile
from tests.hostile import graphs
from tests.hostile.bytes import Bait, honest
from tests.registry.conftest import REAL, running

MARKER = "MARKER-" + "OF-THE-TEST"
NOWHERE = Bait("/nowhere", "/nowhere", 1)
# Of the others, those that go on until they are stopped.
_PATIENT = """
    endless into a list, an answer without end, a million names, steps that hold themselves,
    drips its answer, announces a long answer, takes memory, takes memory slowly,
    recursion without end
"""
# Models after all: what is hostile is behind the end, or a name that is cut.
HARMLESS = {"a zip behind", "LightGBM: a name of ten megabytes"}
PATIENT = {" ".join(name.split()) for name in _PATIENT.split(",")}
REFUSED = sorted(set(hostile.corpus(hostile.REFUSED, NOWHERE)) - PATIENT)
LYING = sorted(set(hostile.corpus(hostile.LYING, NOWHERE)) - PATIENT)
ENDLESS = sorted(set(hostile.corpus(hostile.ENDLESS, NOWHERE)) | PATIENT)
GRAPHS = sorted(graphs.corpus(NOWHERE))
# What is not over by then is at its deadline, which is an end like others.
SECONDS = 3.0
ADVISED = 60.0
FOUR_NUMBERS = {
    "inputs": [{"name": f"x{n}", "dtype": "float"} for n in range(4)],
    "named": False,
    "outputs": {"predict": {"dtype": "float", "count": 1}, "predict_proba": None},
}


@dataclass
class Trap:
    """What a file that got out would have touched."""

    bait: Bait
    listener: socket.socket

    def is_untouched(self) -> bool:
        try:
            self.listener.accept()
        except BlockingIOError:
            return not Path(self.bait.folder).exists()
        return False


@dataclass
class End:
    """How it went with a file."""

    reason: str
    code: str = ""
    answer: str = ""


@pytest.fixture(scope="module")
def trap(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trap")
    (folder / "secret").write_text(MARKER)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        yield Trap(Bait(str(folder / "made"), str(folder / "secret"), port), listener)


@pytest.fixture(scope="module")
def files(trap):
    groups = hostile.REFUSED + hostile.LYING + hostile.ENDLESS
    return hostile.corpus(groups, trap.bait) | graphs.corpus(trap.bait)


@pytest.fixture(scope="module")
def baited_runner():
    """The real one, started by somebody whose environment holds a secret."""
    with running(REAL, env={"PLANTED": MARKER}) as process:
        yield Runner(process.socket_path)


def taken(runner, content, *, seconds=SECONDS):
    """The file's way through an admission, up to some answers."""
    descriptor = os.memfd_create("artifact")
    try:
        os.write(descriptor, content or b"")
        return End("", answer=repr(_answers(runner, descriptor, seconds)))
    except SandboxError as error:
        return End(error.reason, error.code)
    except (InvalidSignature, KeyError, TypeError) as error:  # as registry.admission does
        return End(f"The model's description is unusable: {error}.", "bad_reply")
    finally:
        os.close(descriptor)


def _answers(runner, descriptor, seconds):
    fmt = runner.scan(descriptor, deadline=ADVISED)["format"]
    report = runner.inspect(descriptor, fmt=fmt, deadline=seconds).report
    signature = Signature.from_json({**report["signature"], "methods": report["methods"]})
    host = runner.fresh_host(kind="estimator")
    try:
        host.load("d", descriptor, fmt=fmt, signature=signature.to_json(), deadline=seconds)
        rows = Rows([np.zeros((2, len(signature.inputs)))], 2)
        return [host.predict("d", rows, ["predict"], deadline=seconds) for _ in range(5)]
    finally:
        host.close()


def admits_honest_models(runner):
    return taken(runner, honest(), seconds=30).answer.startswith("[{'predict': array([0, 0])}")


def is_fit_for_people(reason):
    return bool(reason) and reason.isprintable() and len(reason) <= 300 and MARKER not in reason


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_reason(baited_runner, trap, files, name):
    end = taken(baited_runner, files[name])

    assert end.answer == "" or name in HARMLESS
    assert is_fit_for_people(end.reason) or name in HARMLESS
    assert trap.is_untouched()
    assert admits_honest_models(baited_runner)


@pytest.mark.parametrize("name", LYING)
def test_what_runs_gets_nowhere(baited_runner, trap, files, name):
    end = taken(baited_runner, files[name])

    assert is_fit_for_people(end.reason) or end.answer
    assert MARKER not in end.answer
    assert "got away" not in end.reason or "got away with nothing" in end.reason
    assert trap.is_untouched()
    assert admits_honest_models(baited_runner)


def test_what_never_ends_is_ended(baited_runner, trap, files):
    with ThreadPoolExecutor(len(ENDLESS)) as pool:
        taking = {name: pool.submit(taken, baited_runner, files[name]) for name in ENDLESS}
    ends = {name: one.result() for name, one in taking.items()}

    assert {name for name, end in ends.items() if not is_fit_for_people(end.reason)} <= {
        "a loop in __del__"  # reached by nobody: the child is killed before
    }
    assert "got away" not in "".join(end.reason for end in ends.values())
    assert trap.is_untouched()
    assert admits_honest_models(baited_runner)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_is_refused_or_fails_alone(baited_runner, trap, files, name):
    descriptor = os.memfd_create("graph")
    os.write(descriptor, files[name])
    host, loaded = baited_runner.fresh_host(kind="graph"), False
    try:
        host.load("d", descriptor, fmt=GRAPH, signature=FOUR_NUMBERS, deadline=SECONDS)
        loaded = True
        host.predict("d", Rows([np.ones((3, 4))], 3), ["predict"], deadline=SECONDS)
        reason = ""
    except SandboxError as error:
        reason = error.reason
    finally:
        os.close(descriptor)
        host.close()

    assert is_fit_for_people(reason)
    assert name in FAILING or not loaded
    assert trap.is_untouched()


# Numbers that are computed only while it runs are bounded by the sandbox alone.
FAILING = {
    "a computed expansion",
    "a remainder of a computed zero",
    "an outer product",
    "a concatenation that doubles",
}
