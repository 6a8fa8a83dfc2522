"""The runner as a program: who may ask what, and how it and its children end."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import onnxruntime
import pytest
import sklearn

from registry.rows import Rows
from registry.sandbox import ChildDied, Runner, RunnerUnavailable
from tests.registry.conftest import NAIVE, REAL
from tests.registry.waiting import eventually


def is_alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def told(path, message):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.settimeout(5)
        control.connect(path)
        control.send(message)
        return json.loads(control.recv(1 << 18))


def test_it_works(runner):
    assert eventually(lambda: runner.status()["children"] == [])
    status = runner.status()

    assert status["fences"]["complete"]
    assert status["hosts"] == 0
    assert status["memory"] == 0
    assert status["uptime"] >= 0


def test_it_says_what_it_opens_models_with(real_runner):
    libraries = real_runner.status()["libraries"]

    assert libraries["scikit-learn"] == sklearn.__version__
    assert libraries["onnxruntime"] == onnxruntime.__version__
    assert libraries["xgboost"].startswith("3.")


def test_the_socket_is_for_its_owner_only(runner):
    mode = os.stat(runner.path).st_mode

    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    "message",
    [
        b"x",
        b"\x00" * 20_000,
        b"[]",
        b"null",
        b'{"op": "shutdown"}',
        b'{"op": ["status"]}',
        b'{"op": {"status": 1}}',
        b'{"op": "host"}',
        b'{"op": "host", "kind": "graph"}',
        b'{"op": "host", "kind": ["graph"], "key": "a"}',
        b'{"op": "host", "kind": "inspector", "key": "a"}',
        b'{"op": "host", "kind": "graph", "key": ""}',
        b'{"op": "host", "kind": "graph", "key": "' + b"k" * 201 + b'"}',
        b'{"op": "inspect"}',
        b'{"op": "inspect", "deadline": -1}',
        b'{"op": "inspect", "deadline": 1e400}',
        b'{"op": "inspect", "deadline": true}',
        b'{"op": "kill", "child": "1"}',
        b'{"op": "kill"}',
        b"[" * 10_000,
    ],
)
def test_nonsense_is_answered_and_forgotten(runner, message):
    assert told(runner.path, message)["error"]["code"] == "bad_request"
    assert runner.status()["children"] == []


def test_killing_nobody(runner):
    assert told(runner.path, b'{"op": "kill", "child": 10000000}') == {"killed": False}


def test_clients_that_never_read_are_left(runner):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.settimeout(5)
        control.connect(runner.path)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            _ask_without_end(control)

    assert runner.status()["children"] == []


def _ask_without_end(control):
    while True:
        control.send(b'{"op": "status"}')


def test_many_connections_that_say_nothing(runner):
    silent = []
    for _ in range(600):
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.connect(runner.path)
        silent.append(control)
    for control in silent:
        control.close()

    assert eventually(lambda: _answers(runner))


def _answers(runner):
    try:
        return bool(runner.status())
    except RunnerUnavailable:
        return False


def test_a_private_child_ends_with_its_owners_connection(runner):
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.connect(runner.path)
    control.send(b'{"op": "inspect", "deadline": 60}')
    _, connection = socket.recv_fds(control, 1000, 1)[:2]
    assert len(runner.status()["children"]) == 1

    control.close()

    assert eventually(lambda: runner.status()["children"] == [])
    os.close(connection[0])


def test_the_runner_keeps_deadlines_too(runner):
    """A client that hangs does not keep its child alive."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.settimeout(5)
        control.connect(runner.path)
        control.send(b'{"op": "inspect", "deadline": 0.3}')
        _, descriptors = socket.recv_fds(control, 1000, 1)[:2]
        started = monotonic()
        ended = json.loads(control.recv(1000))["ended"]
        os.close(descriptors[0])

    assert ended["exit"] == -signal.SIGKILL
    assert 0.2 < monotonic() - started < 1


def test_hosts_used_least_make_room(start_runner, load):
    runner = Runner(start_runner("--max-hosts", "2").socket_path)
    source = "def predict(rows, methods): return {'predict': rows.blocks[0][:, 0]}"
    rows = Rows([np.ones((1, 1))], 1)
    first, second = (runner.host(key, kind="graph") for key in ("first", "second"))
    load(first, source)
    load(second, source)
    sleep(2.5)  # the runner looks every two seconds who was awake
    first.predict("model", rows, ["predict"], deadline=5)
    third = runner.host("third", kind="graph")
    load(third, source)

    assert eventually(
        lambda: {one["key"] for one in runner.status()["children"]} == {"first", "third"}
    )
    first.predict("model", rows, ["predict"], deadline=5)
    with pytest.raises(ChildDied) as died:
        second.predict("model", rows, ["predict"], deadline=5)
    assert died.value.code == "host_gone"
    first.close()
    third.close()


def test_idle_hosts_end(start_runner):
    runner = Runner(start_runner("--idle-seconds", "1").socket_path)
    host = runner.host("idle", kind="graph")

    assert len(runner.status()["children"]) == 1
    assert eventually(lambda: runner.status()["children"] == [], seconds=12)
    host.close()


def test_private_children_are_counted(start_runner):
    runner = Runner(start_runner().socket_path)
    hosts = [runner.fresh_host(kind="graph") for _ in range(32)]

    with pytest.raises(RunnerUnavailable) as refused:
        runner.fresh_host(kind="graph")

    assert refused.value.code == "busy"
    for host in hosts:
        host.close()


def test_a_second_runner_does_not_take_the_socket(runner):
    command = [sys.executable, "-I", "-B", str(REAL), "--socket", runner.path]

    second = subprocess.run(command, env={}, capture_output=True, timeout=60)

    assert second.returncode == 1
    assert second.stderr.decode() == f"Another runner answers at {runner.path}.\n"
    assert runner.status()["fences"]["complete"]


def test_a_stale_socket_is_replaced(start_runner):
    first = start_runner()
    first.send_signal(signal.SIGKILL)
    first.wait()
    command = [sys.executable, "-I", "-B", str(NAIVE), "--socket", first.socket_path]
    environment = {"PATH": "/usr/bin"}
    command[3] = str(REAL)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as second:
        assert second.stdout.readline().startswith(b"runner ready")
        assert Runner(first.socket_path).status()["pid"] == second.pid
        second.terminate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_its_children_end_with_it(start_runner, load, number):
    process = start_runner()
    runner = Runner(process.socket_path)
    hosts = [runner.host("a", kind="graph"), runner.fresh_host(kind="estimator")]
    load(hosts[0], "import signal\nsignal.signal(15, signal.SIG_IGN)\ndef predict(*_): pass")
    pids = [child["pid"] for child in runner.status()["children"]]
    assert [is_alive(pid) for pid in pids] == [True, True]

    process.send_signal(number)
    process.wait(10)

    assert eventually(lambda: not any(is_alive(pid) for pid in pids))
    assert os.path.exists(process.socket_path) is (number == signal.SIGKILL)
    for host in hosts:
        host.close()


def test_a_runner_that_dies_is_not_taken_for_a_model_that_does(start_runner, load):
    process = start_runner()
    private = Runner(process.socket_path).fresh_host(kind="estimator")
    shared = Runner(process.socket_path).host("a", kind="graph")
    for host in (private, shared):
        load(host, "import time\ndef predict(*_): time.sleep(60)")
    threading.Timer(0.3, process.kill).start()
    rows = Rows([np.ones((1, 1))], 1)
    with pytest.raises(RunnerUnavailable):
        private.predict("model", rows, ["predict"], deadline=10)
    with pytest.raises(ChildDied) as gone:
        shared.predict("model", rows, ["predict"], deadline=10)

    assert gone.value.code == "host_gone"


def test_it_ends_with_its_parent_when_told_to(tmp_path):
    path = f"/tmp/mlp-orphan-{os.getpid()}.sock"
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-I', '-B', {str(REAL)!r}, '--socket',"
        f" {path!r}, '--die-with-parent'], env={{}}, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        pid = int(process.stdout.readline())
        assert is_alive(pid)
        process.kill()

    assert eventually(lambda: not is_alive(pid), seconds=5)
    assert not os.path.exists(path)


def test_nothing_of_the_launchers_environment_gets_in(start_runner):
    process = start_runner(program=REAL, env={"SECRET_KEY": "planted", "PYTHONPATH": "/tmp"})
    environment = Path(f"/proc/{process.pid}/environ").read_bytes()

    assert b"planted" not in environment
    assert b"PYTHON" not in environment
    assert b"OMP_NUM_THREADS=1" in environment
    assert Path(f"/proc/{process.pid}/cwd").resolve() == Path("/")


def test_it_reports_to_nobody(start_runner):
    """onnxruntime would: in a thread of its own, which is also no good company for a fork."""
    process = start_runner(program=REAL, env={})

    assert b"ORT_DISABLE_TELEMETRY=1" in Path(f"/proc/{process.pid}/environ").read_bytes()
    assert len(os.listdir(f"/proc/{process.pid}/task")) == 1


def test_it_keeps_no_descriptor_of_the_launchers(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path = f"/tmp/mlp-inherit-{os.getpid()}.sock"
    command = [sys.executable, "-I", "-B", str(REAL), "--socket", path]
    with (
        secret.open() as file,
        subprocess.Popen(
            command, env={}, stdout=subprocess.PIPE, pass_fds=[file.fileno()]
        ) as process,
    ):
        assert process.stdout.readline()
        folder = Path(f"/proc/{process.pid}/fd")
        held = {os.readlink(folder / name) for name in os.listdir(folder)}
        process.terminate()

    assert str(secret) not in held
