"""Runners for whoever tests what they do: the real program, started once a session."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from registry.runner.environment import CLEAN
from registry.sandbox import Runner

PROJECT = Path(__file__).resolve().parents[2]
REAL = PROJECT / "registry" / "runner" / "__main__.py"
NAIVE = Path(__file__).parent / "runner" / "naive_runner.py"


@contextmanager
def running(program: Path, *arguments: str, env: dict[str, str]) -> Iterator[subprocess.Popen]:
    """The program at a socket of its own; its path is in `.socket_path`."""
    folder = tempfile.mkdtemp(prefix="mlp-")  # a socket's path has room for 107 characters
    path = f"{folder}/runner.sock"
    command = [sys.executable, "-I", "-B", str(program), "--socket", path, *arguments]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        process.socket_path = path
        try:
            assert process.stdout.readline().startswith(b"runner ready")
            yield process
        finally:
            process.terminate()
            process.wait(10)
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def real_runner() -> Iterator[Runner]:
    with running(REAL, env={}) as process:
        yield Runner(process.socket_path)


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """The same program and children, but an artifact is Python source and simply runs there."""
    with running(NAIVE, env=CLEAN) as process:
        yield Runner(process.socket_path)


@pytest.fixture
def start_runner() -> Iterator[Callable[..., subprocess.Popen]]:
    """Start one of one's own, with arguments; it ends with the test."""
    with ExitStack() as stack:

        def start(*arguments, program=NAIVE, env=CLEAN):
            return stack.enter_context(running(program, *arguments, env=env))

        yield start


@pytest.fixture
def artifact() -> Iterator[Callable[[str | bytes], int]]:
    """A descriptor of a file with this content."""
    descriptors = []

    def make(content):
        descriptor = os.memfd_create("artifact")
        os.write(descriptor, content.encode() if isinstance(content, str) else content)
        descriptors.append(descriptor)
        return descriptor

    yield make
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def load(artifact) -> Callable[..., None]:
    """Have a host run this source, whose `predict(rows, methods)` then answers."""

    def load(host, source, digest="model", deadline=5.0):
        return host.load(digest, artifact(source), fmt="sklearn", signature={}, deadline=deadline)

    return load
