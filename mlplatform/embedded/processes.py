"""The platform's processes, and the order in which they start."""

import hashlib
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlplatform.embedded import environment, packages, runner
from mlplatform.embedded.children import Child, Program, Supervisor
from mlplatform.embedded.console import step
from mlplatform.embedded.environment import Address
from mlplatform.embedded.places import PROJECT, Data, make_private, sockets_for
from mlplatform.embedded.postgres import Cluster, cluster_for
from mlplatform.embedded.valkey import Store, store_for

WEB_WORKERS = int(os.environ.get("WEB_WORKERS", "2"))
WEB_THREADS = int(os.environ.get("WEB_THREADS", "8"))
QUEUES = "default,admission,maint"


@dataclass
class Platform:
    """Everything one data folder needs, started child by child."""

    data: Data
    venv: Path
    address: Address
    supervisor: Supervisor | None = None
    throw_away: bool = False

    @cached_property
    def sockets(self) -> Path:
        return sockets_for(self.data)

    @cached_property
    def runner_socket(self) -> Path:
        return make_private(self.sockets / "runner") / "runner.sock"

    @cached_property
    def cluster(self) -> Cluster | None:
        """Our PostgreSQL; None when the caller has one."""
        if "DATABASE_URL" in environment.outside():
            return None
        return cluster_for(self.data, self.sockets, self.venv, throw_away=self.throw_away)

    @cached_property
    def store(self) -> Store | None:
        """Our Valkey; None when the caller has one."""
        if "REDIS_URL" in environment.outside():
            return None
        return store_for(self.data, self.sockets, self.venv, throw_away=self.throw_away)

    @cached_property
    def env(self) -> dict[str, str]:
        """What every Django process gets."""
        env = environment.for_django(self.data, self.address, self.runner_socket)
        if self.cluster:
            env["DATABASE_URL"] = self.cluster.url
        if self.store:
            env |= {"REDIS_URL": self.store.url(0), "CACHE_URL": self.store.url(1)}
        return env

    def start_stores(self) -> None:
        """PostgreSQL and Valkey: ours are started, the caller's must answer. Raises Trouble."""
        with step("PostgreSQL") as current:
            if self.cluster:
                self.cluster.initialise(self.supervisor)
                self.cluster.start(self.supervisor)
            else:
                version = environment.check_database(self.env, self.venv)
                current.label = f"PostgreSQL {version}, yours (DATABASE_URL)"
        with step("Valkey") as current:
            if self.store:
                self.store.start(self.supervisor)
            else:
                version = environment.check_redis(self.env, self.venv)
                current.label = f"Redis {version}, yours (REDIS_URL)"

    def start_runner(self) -> Child:
        """The sandboxed runner: no environment at all. Ready after `wait_for_runner`."""
        argv = [packages.python(self.venv), "-I", "-B"]
        argv += [str(PROJECT / "registry/runner/__main__.py"), "--socket", str(self.runner_socket)]
        argv += ["--memory-budget", environment.outside().get("RUNNER_MEMORY_BYTES") or "0"]
        argv += [f"--allow-incomplete-sandbox={_allowed_incomplete()}"]
        self.runner_socket.unlink(missing_ok=True)
        program = Program("runner", [*argv, "--die-with-parent"], env={}, cwd=Path("/"))
        return self.supervisor.start(program)

    def wait_for_runner(self, child: Child) -> None:
        with step("runner, which alone opens models") as current:
            self.supervisor.until(
                lambda: (
                    self.runner_socket.exists() and runner.status(self.runner_socket) is not None
                ),
                child=child,
                within=90,
            )
            current.label = f"runner: {runner.describe(runner.status(self.runner_socket) or {})}"

    def migrate(self) -> None:
        with step("database migrations"):
            self.manage("migrate", "--no-input", "--verbosity=0", within=600)

    def collect_static(self) -> None:
        """Once a version of the code: the stamp is written last, so a killed run is repeated."""
        stamp, digest = self.data.folder / "static.stamp", _static_digest()
        if stamp.exists() and stamp.read_text() == digest:
            return
        with step("static files"):
            self.manage("collectstatic", "--no-input", "--clear", "--verbosity=0", within=300)
        stamp.write_text(digest)

    def manage(self, *arguments: str, within: float = 60) -> str:
        """Run a Django command and return what it printed. Raises Trouble."""
        argv = [packages.python(self.venv), str(PROJECT / "manage.py"), *arguments]
        program = Program(f"manage.py {arguments[0]}", argv, self.env, PROJECT)
        return self.supervisor.run(program, within=within)

    def start_web(self) -> Child:
        argv = ["granian", "--interface", "wsgi", "--host", self.address.host]
        argv += ["--port", str(self.address.port), "--workers", str(WEB_WORKERS), "--no-ws"]
        argv += ["--blocking-threads", str(WEB_THREADS), "--respawn-failed-workers"]
        argv += ["--workers-kill-timeout", "8", "mlplatform.wsgi:application"]
        return self._start_module("web", argv, stop_within=12)

    def start_background(self) -> None:
        """Celery's worker and beat, and the drainer of the prediction log."""
        celery = ["celery", "-A", "mlplatform", "--skip-checks"]
        worker = ["worker", "--queues", QUEUES, "--concurrency", "2", "--without-gossip"]
        worker += ["--without-mingle", "-O", "fair", "--loglevel", "INFO"]
        schedule = str(self.data.folder / "beat-schedule")
        self._start_module("worker", [*celery, *worker], stop_within=15)
        self._start_module("beat", [*celery, "beat", "--schedule", schedule, "--pidfile="])
        argv = [packages.python(self.venv), str(PROJECT / "manage.py"), "drain_predictions"]
        self.supervisor.start(Program("drainer", argv, self.env, PROJECT))

    def _start_module(self, name: str, argv: list[str], **how: float) -> Child:
        argv = [packages.python(self.venv), "-m", *argv]
        return self.supervisor.start(Program(name, argv, self.env, PROJECT, **how))

    def wait_for_web(self, child: Child) -> None:
        with step(f"web at {self.address.url}"):
            self.supervisor.until(self.address.answers, child=child, within=90)


def _static_digest() -> str:
    """Changes with any static file of ours and with the installed packages."""
    # Not .data/static, which is where they are collected to.
    files = [*PROJECT.glob("static/**/*"), *PROJECT.glob("[a-z]*/static/**/*")]
    facts = [f"{file}{file.stat().st_size}{file.stat().st_mtime_ns}" for file in sorted(files)]
    lock = (PROJECT / "requirements.lock").read_text()
    return hashlib.sha256("\n".join([sys.version, lock, *facts]).encode()).hexdigest()


def _allowed_incomplete() -> str:
    return environment.outside().get("ALLOW_INCOMPLETE_SANDBOX") or "no"
