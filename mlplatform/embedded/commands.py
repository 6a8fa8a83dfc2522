"""The commands of run.py."""

import os
import shutil
import signal
import subprocess
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

from mlplatform.embedded import checkup, first_start, machine, packages
from mlplatform.embedded.children import Program, StopAsked, Supervisor, keep
from mlplatform.embedded.console import Trouble, bold, explain, say, step
from mlplatform.embedded.environment import Address
from mlplatform.embedded.places import PROJECT, Data, forget_sockets
from mlplatform.embedded.processes import Platform

STOP_WITHIN = 60


def start(data: Data, address: Address, *, demo: bool) -> int:
    """Start the platform and stay until Ctrl-C; or say where it already runs."""
    began = monotonic()
    data.create()
    with data.lock() as held:
        if held is None:
            return _say_where(data)
        say(bold("mlplatform"))
        with step("machine") as current:
            current.label = machine.check_system()
            machine.check_venv()
            machine.check_port(address.host, address.port)
        data.remember(pid=os.getpid(), url=None)
        venv = packages.venv_folder(data)
        packages.install(venv, kind="run")
        return keep(
            _guarded(
                lambda supervisor: _serve(supervisor, data, venv, address, demo, began=began),
                data,
                after=lambda: forget_sockets(data),
            )
        )


def _serve(
    supervisor: Supervisor, data: Data, venv: Path, address: Address, demo: bool, *, began: float
) -> int:
    os.umask(0o077)
    data.remember(pid=os.getpid())
    platform = Platform(data, venv, address, supervisor)
    runner = platform.start_runner()
    platform.start_stores()
    platform.migrate()
    platform.collect_static()
    web = platform.start_web()
    platform.wait_for_runner(runner)
    platform.wait_for_web(web)
    # Afterwards: on a small machine they would keep the web process waiting for a core.
    platform.start_background()
    if demo:
        first_start.make_demo(platform)
    data.remember(url=address.url)
    first_start.welcome(platform, seconds=monotonic() - began)
    supervisor.watch()
    return 0


def _guarded(
    work: Callable[[Supervisor], int], data: Data, *, after: Callable[[], None]
) -> Callable[[int], int]:
    """The keeper's edge: whatever happens, the children are stopped and an exit code returned."""

    def guarded(lifeline: int) -> int:
        supervisor = Supervisor(data.logs, lifeline)
        try:
            return work(supervisor)
        except StopAsked:
            return 0
        except Trouble as trouble:
            explain(trouble)
            return 1
        except Exception:  # noqa: BLE001 - a process edge
            traceback.print_exc()
            return 1
        finally:
            _stop_all(supervisor)
            after()

    return guarded


def _stop_all(supervisor: Supervisor) -> None:
    if supervisor.children:
        say()
        with step("stopped"):
            supervisor.stop()


def _say_where(data: Data) -> int:
    url = data.state().get("url")
    if url:
        say(f"It already runs: {url}   (API: {url}/docs)")
    else:
        say("It is being started or stopped by another run.py.")
    say(f"Data:  {data.folder}")
    say("Stop it with: python3 run.py stop")
    return 0


def stop(data: Data) -> int:
    """Stop the platform of this data folder, wherever it was started."""
    if not data.is_running():
        say(f"Nothing runs on {data.folder}.")
        return 0
    pid = data.state().get("pid")
    with step("stopping"):
        os.kill(pid, signal.SIGTERM)
        _wait_until_stopped(data, pid)
    return 0


def _wait_until_stopped(data: Data, pid: int) -> None:
    deadline = monotonic() + STOP_WITHIN
    while data.is_running():
        if monotonic() > deadline:
            raise Trouble(
                f"It did not stop within {STOP_WITHIN} seconds.",
                fix=f"kill -9 {pid}",
                log=data.logs,
            )
        sleep(0.05)


def reset(data: Data, *, sure: bool) -> int:
    """Delete the data folder, and nothing else."""
    if not data.is_ours:
        say(f"There is nothing to delete: {data.folder} is not a data folder of mlplatform.")
        return 0
    if not sure and not _agrees(f"Delete all models, accounts and predictions in {data.folder}?"):
        say("Nothing was deleted.")
        return 1
    if data.is_running():
        stop(data)
    forget_sockets(data)
    shutil.rmtree(data.folder)
    say(f"Deleted {data.folder}.")
    return 0


def _agrees(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def doctor(data: Data, address: Address) -> int:
    """Look at the machine; 1 when something is wrong."""
    return 0 if checkup.look_at(data, address) else 1


def manage(data: Data, arguments: list[str]) -> int:
    """Run a Django command on the platform that runs on this data folder."""
    url = data.state().get("url") if data.is_running() else None
    if url is None:
        raise Trouble(f"Nothing runs on {data.folder}.", fix="start it first: python3 run.py")
    site = urlsplit(url)
    venv = packages.venv_folder(data)
    platform = Platform(data, venv, Address(site.hostname, site.port))
    argv = [packages.python(venv), str(PROJECT / "manage.py"), *arguments]
    return subprocess.run(argv, env=platform.env, cwd=PROJECT).returncode


def setup(data: Data) -> int:
    """Make the virtual environment with the development tools, for lint and editors."""
    _check_machine()
    venv = packages.venv_folder(data)
    packages.install(venv, kind="dev")
    say(f"The virtual environment is {venv}")
    return 0


def test(arguments: list[str]) -> int:
    """Run pytest against throw-away servers; pytest's exit code."""
    _check_machine()
    data = Data(Path(tempfile.mkdtemp(prefix="mlp-", dir="/tmp")))  # nosec B108 # by mkdtemp
    data.create()
    venv = packages.venv_folder(data)
    packages.install(venv, kind="dev")
    return keep(
        _guarded(
            lambda supervisor: _run_tests(supervisor, data, venv, arguments),
            data,
            after=lambda: shutil.rmtree(data.folder),
        )
    )


def _run_tests(supervisor: Supervisor, data: Data, venv: Path, arguments: list[str]) -> int:
    platform = Platform(data, venv, Address("127.0.0.1", 8000), supervisor, throw_away=True)
    runner = platform.start_runner()
    platform.start_stores()
    (data.folder / "static").mkdir()  # collected files are not needed, the folder is looked for
    platform.wait_for_runner(runner)
    cores = str(max(2, min(8, os.cpu_count() or 2)))
    argv = [
        packages.python(venv),
        "-m",
        "pytest",
        "-n",
        cores,
        "-p",
        "tests.scheduling",
        *arguments,
    ]
    # SIGINT lets pytest print what it has found so far.
    # What tests leave behind goes with the servers.
    temporary = data.folder / "t"
    temporary.mkdir()
    env = {**platform.env, "TMPDIR": str(temporary)}
    program = Program("pytest", argv, env, PROJECT, stop_signal=signal.SIGINT)
    return supervisor.call(program)


def _check_machine() -> None:
    with step("machine") as current:
        current.label = machine.check_system()
        machine.check_venv()
