"""What run.py says and does without starting anything."""

import errno
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mlplatform.embedded import machine, packages
from mlplatform.embedded.console import Trouble
from mlplatform.embedded.environment import Address, outside
from mlplatform.embedded.places import Data, data_folder, is_root
from tests.embedded.conftest import run_py


def test_it_works():
    answer = run_py("--help")

    assert answer.returncode == 0
    assert "doctor" in answer.stdout


def test_an_unknown_action_is_refused():
    answer = run_py("strat")

    assert answer.returncode == 2
    assert "invalid choice: 'strat'" in answer.stdout


def test_an_old_python_is_told_what_to_do():
    pretend = "import sys, runpy; sys.version_info = (3, 8); runpy.run_path('run.py')"

    answer = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)

    assert answer.returncode == 2
    assert "mlplatform needs Python 3.11 or newer" in answer.stderr
    assert "Fix:" in answer.stderr


def test_a_busy_port_names_its_holder_and_a_way_out(folder):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]

        answer = run_py("start", "--data-dir", str(folder), "--port", str(port))

    assert answer.returncode == 1
    assert f"Port {port} is in use by" in answer.stdout
    assert f"(process {os.getpid()})" in answer.stdout
    assert f"--port {port + 1}" in answer.stdout


def test_doctor_names_a_busy_port(folder):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]

        answer = run_py("doctor", "--data-dir", str(folder), "--port", str(port))

    assert answer.returncode == 1
    assert f"Port {port} is in use by" in answer.stdout


def test_doctor_is_content_and_makes_nothing(folder, free_port):
    answer = run_py("doctor", "--data-dir", str(folder), "--port", str(free_port))

    assert answer.returncode == 0, answer.stdout
    assert "PostgreSQL" in answer.stdout or "comes with the packages" in answer.stdout
    for fence in ("seccomp (system calls): yes", "Landlock (files):", "a user id for each child:"):
        assert f"fence: {fence}" in answer.stdout
    assert not folder.exists()


def test_stop_where_nothing_runs(folder):
    answer = run_py("stop", "--data-dir", str(folder))

    assert answer.returncode == 0
    assert "Nothing runs" in answer.stdout


def test_manage_where_nothing_runs(folder):
    answer = run_py("manage", "check", env={"MLPLATFORM_DATA_DIR": str(folder)})

    assert answer.returncode == 1
    assert "Nothing runs" in answer.stdout


def test_a_folder_of_somebody_else_is_neither_used_nor_deleted(folder, free_port):
    folder.mkdir()
    (folder / "thesis.txt").write_text("four years of work")

    started = run_py("start", "--data-dir", str(folder), "--port", str(free_port))
    reset = run_py("reset", "--yes", "--data-dir", str(folder))

    assert started.returncode == 1
    assert "was not made by mlplatform" in started.stdout
    assert "There is nothing to delete" in reset.stdout
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_reset_asks_first(folder):
    Data(folder).create()

    answer = run_py("reset", "--data-dir", str(folder))

    assert answer.returncode == 1
    assert "Nothing was deleted." in answer.stdout
    assert Data(folder).is_ours


def test_reset_deletes_the_folder_and_nothing_else(folder):
    Data(folder).create()
    beside = folder.parent / "beside.txt"
    beside.touch()

    answer = run_py("reset", "--yes", "--data-dir", str(folder))

    assert answer.returncode == 0
    assert not folder.exists()
    assert beside.exists()


def test_secrets_are_made_once(folder):
    data = Data(folder)
    data.create()

    first = data.secrets()

    assert Data(folder).secrets() == first
    assert len(set(first.values())) == 3
    assert min(map(len, first.values())) >= 32


def test_the_data_folder_depends_on_who_we_are(monkeypatch):
    monkeypatch.delenv("MLPLATFORM_DATA_DIR", raising=False)
    project = Path(__file__).resolve().parents[2]

    folder = data_folder(None)

    assert (
        folder.parent == Path("/var/lib/mlplatform") if is_root() else folder == project / ".data"
    )
    assert data_folder("/elsewhere") == Path("/elsewhere")
    monkeypatch.setenv("MLPLATFORM_DATA_DIR", "/named")
    assert data_folder(None) == Path("/named")


def test_a_missing_ensurepip_names_the_debian_package(monkeypatch):
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(Trouble) as trouble:
        machine.check_venv()

    assert "apt install python3-venv" in trouble.value.fix


def test_a_port_only_root_may_use(monkeypatch):
    trouble = machine._port_trouble("127.0.0.1", 80, OSError(errno.EACCES, "Permission denied"))

    assert trouble.cause == "Port 80 needs root."


def test_the_address_people_type():
    assert Address("127.0.0.1", 8000).url == "http://localhost:8000"
    assert Address("0.0.0.0", 81).url == "http://localhost:81"
    assert Address("models.example.com", 81).url == "http://models.example.com:81"


def test_pythons_own_variables_do_not_reach_the_platform(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    monkeypatch.setenv("MAX_PREDICT_ROWS", "7")

    assert "PYTHONPATH" not in outside()
    assert outside()["MAX_PREDICT_ROWS"] == "7"


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("DATABASE_URL", "postgres://someone:hunter2@127.0.0.1:1/somewhere"),
        ("REDIS_URL", "redis://:hunter2@127.0.0.1:1/0"),
    ],
)
def test_a_server_of_yours_that_does_not_answer(folder, free_port, setting, url):
    answer = run_py(
        "start", "--data-dir", str(folder), "--port", str(free_port), env={setting: url}
    )

    assert answer.returncode == 1
    assert f"at {setting} does not answer: " in answer.stdout
    assert "Connection refused" in answer.stdout
    assert f"correct {setting}" in answer.stdout
    assert "hunter2" not in answer.stdout


LOGS = {
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device": (
        "The disk is full."
    ),
    "ERROR: No matching distribution found for numpy==2.4.6": (
        "A package has no ready-made wheel for this Python and machine"
    ),
    "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnection'\n"
    "ERROR: No matching distribution found for numpy==2.4.6": (
        "The package index could not be reached."
    ),
}


@pytest.mark.parametrize("log", LOGS)
def test_a_failed_installation_has_a_cause(tmp_path, log):
    (tmp_path / "install.log").write_text(log)

    trouble = packages._cause(tmp_path / "install.log")

    assert trouble.cause.startswith(LOGS[log])
    assert trouble.fix
    assert trouble.log == tmp_path / "install.log"


def test_a_full_disk_is_noticed_before_installing(tmp_path, monkeypatch):
    usage = shutil._ntuple_diskusage(10**12, 10**12 - 10**8, 10**8)
    monkeypatch.setattr(packages.shutil, "disk_usage", lambda folder: usage)

    with pytest.raises(Trouble) as trouble:
        packages._check_disk(tmp_path)

    assert "0.1 GB free" in trouble.value.cause


def test_both_lock_files_pin_exactly_and_name_no_place_on_a_machine():
    for name in packages.LOCKS.values():
        lines = Path(packages.PROJECT / name).read_text().splitlines()
        pins = [line for line in lines if not line.startswith(("#", "-r "))]
        assert len(pins) > 15
        assert [line for line in pins if "==" not in line or "@" in line or "/" in line] == []
