"""What the benchmarks share: clocks, a runner of their own, the machine in one line, tables."""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

PROJECT = Path(__file__).resolve().parents[1]


@contextmanager
def runner(*options: str) -> Iterator[tuple[str, float]]:
    """A runner of our own: its socket, and the seconds it took to start."""
    with tempfile.TemporaryDirectory(prefix="mlb-") as folder:
        path = f"{folder}/runner.sock"
        program = str(PROJECT / "registry/runner/__main__.py")
        command = [sys.executable, "-I", "-B", program, "--socket", path, *options]
        started = perf_counter()
        with subprocess.Popen(command, env={}, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout.readline().startswith(b"runner ready")
                yield path, perf_counter() - started
            finally:
                process.terminate()


def median_ms(act: Callable[[int], object], times: int) -> float:
    """Median milliseconds of `act(number)`; the first tenth is warming up."""
    taken = []
    for number in range(times + times // 10):
        started = perf_counter()
        act(number)
        taken.append(perf_counter() - started)
    return statistics.median(taken[times // 10 :]) * 1000


def medians_ms(acts: list[Callable[[int], object]], times: int) -> list[float]:
    """The same for several that take turns, so that a busy machine hits all alike.

    Five rounds, of which the quietest counts: other programs only ever add time.
    """
    rounds = [_medians_of_a_round(acts, times // 5) for _ in range(5)]
    return min(rounds, key=sum)


def _medians_of_a_round(acts: list[Callable[[int], object]], times: int) -> list[float]:
    taken: list[list[float]] = [[] for _ in acts]
    for number in range(times):
        for act, seconds in zip(acts, taken, strict=True):
            started = perf_counter()
            act(number)
            seconds.append(perf_counter() - started)
    return [statistics.median(seconds) * 1000 for seconds in taken]


def per_second(clients: list[Callable[[], int]], seconds: float) -> float:
    """Work done by all clients together; each call of one answers with how much it did."""
    done = [0] * len(clients)
    until = perf_counter() + seconds

    def work(number: int) -> None:
        while perf_counter() < until:
            done[number] += clients[number]()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(clients))]
    started = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (perf_counter() - started)


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    with open("/proc/cpuinfo") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    load = os.getloadavg()[0]
    core = names[0] if names else platform.machine()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {core}, "
        f"{memory:.0f} GiB, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, load before the run {load:.1f}"
    )


class Table:
    """Rows of a Markdown table, printed as they come."""

    def __init__(self) -> None:
        print(f"{machine()}\n\n| what | measured | goal |\n|---|---|---|", flush=True)
        self.missed: list[str] = []

    def add(self, what: str, measured: str, goal: str = "", *, met: bool = True) -> None:
        print(f"| {what} | {measured} | {goal}{'' if met else ' **missed**'} |", flush=True)
        if not met:
            self.missed.append(what)
