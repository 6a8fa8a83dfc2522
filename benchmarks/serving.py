"""Requests a second of the platform beside others, on one core each, in one run.

    python3 run.py setup
    .venv/bin/python -m benchmarks.serving [--seconds 5] [--peers fastapi] [--json FILE]

Needs wrk, taskset and two cores: core 0 serves (all of the platform's processes,
its PostgreSQL and Valkey too), core 1 asks. The platform has everything on:
authentication, limits, validation, the log, and every model in its sandbox. The
peers have nothing on. Each peer is installed into a virtual environment of its own.
"""

import argparse
import io
import json
import os
import platform as machine
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import joblib

from benchmarks import models
from benchmarks.load import Target, answer_of, drive, wait_for
from mlplatform.embedded.demo import Api, Refused

PROJECT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
SERVES, ASKS = 0, 1
# They answer without a model: as much as the framework, and the server, could reach.
LIMITS = ("empty_django", "bare_wsgi")
PACKAGES = {
    "fastapi": ["fastapi", "uvicorn[standard]", "scikit-learn~=1.9.0", "joblib", "pandas"],
}


def main() -> int:
    asked = _arguments()
    results = []
    with tempfile.TemporaryDirectory(prefix="mlp-benchmark-") as folder:
        os.chmod(folder, 0o711)
        for server in ["mlplatform", *LIMITS, *asked.peers]:
            results += measure(server, Path(folder), asked)
    show(results)
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine.platform(), "results": results}))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5, help="of load, each time")
    parser.add_argument("--peers", nargs="*", default=list(PACKAGES), choices=list(PACKAGES))
    parser.add_argument("--models", nargs="*", default=["iris", "forest", "mixed"])
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


def measure(server: str, folder: Path, asked: argparse.Namespace) -> list[dict]:
    results = []
    with ExitStack() as running:
        for model in ["-"] if server in LIMITS else asked.models:
            for count in (1, 100) if model != "-" else (1,):
                target = _target(server, model, count, folder, running)
                answer_of(target)
                for connections in (1, 16):
                    drive(target, connections=connections, seconds=1, core=ASKS)
                    found = drive(target, connections=connections, seconds=asked.seconds, core=ASKS)
                    case = {"server": server, "model": model, "rows": count}
                    results.append({**case, "connections": connections, **asdict(found)})
                    print(results[-1], file=sys.stderr, flush=True)
            if server != "mlplatform":
                running.close()
    return results


def _target(server: str, model: str, count: int, folder: Path, running: ExitStack) -> Target:
    """What to ask of the server, which is started if it does not run yet."""
    rows = models.rows("iris" if model == "-" else model, 1000 if count == 1 else 2000)
    batches = [rows[at : at + count] for at in range(0, len(rows), count)]
    if server == "mlplatform":
        url, key = _platform(folder, running)
        _upload(url, key, model)
        bodies = [{"input": b[0]} if count == 1 else {"inputs": b} for b in batches]
        headers = {"X-API-Key": key}
        return Target(f"{url}/api/v1/predict/{model}", _lines(bodies), headers)
    url = _peer(server, model, folder, running)
    return Target(f"{url}/predict", _lines([{"inputs": batch} for batch in batches]), {})


def _lines(bodies: list[dict]) -> list[bytes]:
    return [json.dumps(body).encode() for body in bodies]


_started: dict[str, tuple[str, str]] = {}


def _platform(folder: Path, running: ExitStack) -> tuple[str, str]:
    """Its URL and an API key; started at the first call."""
    if "mlplatform" not in _started:
        data, port = folder / "data", _free_port()
        command = [sys.executable, PROJECT / "run.py", "start", "--data-dir", data]
        environment = {**os.environ, "WEB_WORKERS": "1", "RATE_LIMIT_PER_MINUTE": "1000000000"}
        environment["LOG_LEVEL"] = "INFO"
        running.enter_context(_process([*command, "--port", port], environment, folder / "log"))
        until = time.monotonic() + 180
        while not (data / "demo.json").exists() or "answer" not in (data / "demo.json").read_text():
            if time.monotonic() > until:
                raise SystemExit((folder / "log").read_text()[-2000:])
            time.sleep(0.5)
        key = json.loads((data / "demo.json").read_text())["api_key"]
        _started["mlplatform"] = f"http://127.0.0.1:{port}", key
    return _started["mlplatform"]


def _upload(url: str, key: str, model: str) -> None:
    """Through the public API, and wait until it answers; a second time does nothing."""
    api = Api(url)
    api.headers = {"X-API-Key": key}
    try:
        if model != "iris":  # the demo has one of this name
            api.get(f"/api/v1/models/{model}")
            return
    except Refused:
        pass
    file = io.BytesIO()
    joblib.dump(models.fitted(model), file)
    fields = {"name": model, "model_type": "sklearn"}
    answer = api.upload("/api/v1/models/upload", fields, name="m.joblib", content=file.getvalue())
    while (version := api.get(answer["status_url"]))["status"] != "ready":
        if version["status"] == "rejected":
            raise SystemExit(version["reason"])
        time.sleep(0.2)
    print(model, version["runtime"], version["parity"], file=sys.stderr)


def _peer(server: str, model: str, folder: Path, running: ExitStack) -> str:
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "PYTHONPATH": str(HERE / "peers")}
    if server in LIMITS:
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", port]
        command += ["--workers", "1", "--blocking-threads", "8", "--no-ws"]
        command += [f"{server}:application"]
    else:
        environment["MODEL"] = str(_saved(model, folder))
        command = [_installed(server), "-m", "uvicorn", "fastapi_app:app", "--port", port]
        command += ["--no-access-log"]
    running.enter_context(_process(command, environment, folder / f"{server}.log"))
    wait_for(url)
    return url


def _saved(model: str, folder: Path) -> Path:
    file = folder / f"{model}.joblib"
    if not file.exists():
        joblib.dump(models.fitted(model), file)
    return file


def _installed(server: str) -> Path:
    """The Python of the peer's own virtual environment, kept for the next run."""
    home = PROJECT / ".benchmarks" / server
    if not (home / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        subprocess.run([*pip, *PACKAGES[server]], check=True)
    return home / "bin" / "python"


@contextmanager
def _process(command: list, environment: dict[str, str], log: Path) -> Iterator[None]:
    """A server on its core, ended at the end."""
    pinned = ["taskset", "-c", str(SERVES), *map(str, command)]
    with log.open("ab") as out:
        process = subprocess.Popen(
            pinned, cwd=PROJECT, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def show(results: list[dict]) -> None:
    print("server         model     rows  conn     req/s    p50 ms    p99 ms")
    for one in results:
        print(
            f"{one['server']:14} {one['model']:8} {one['rows']:5} {one['connections']:5} "
            f"{one['per_second']:9.0f} {one['p50']:9.2f} {one['p99']:9.2f}"
            + (f"  {one['failed']} failed" if one["failed"] else "")
        )


if __name__ == "__main__":
    sys.exit(main())
