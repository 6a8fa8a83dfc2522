"""What the sandbox costs and what its hosts give: python benchmarks/admission.py [seconds]

Starts a runner of its own; needs no database. Every figure of a host has its baseline in the
same run: the same code without a sandbox, one client instead of many, one host instead of two.
"""

import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from registry.runner.environment import CLEAN

# The baseline in this process computes as the runner's children do: on one thread.
os.environ.update(CLEAN)

import joblib
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.measuring import Table, median_ms, medians_ms, per_second, runner
from registry.formats import GRAPH, SKLEARN
from registry.rows import Rows
from registry.runner import predictors
from registry.sandbox import Host, Runner

WIDTH = 20
TABLE, LABELS = make_classification(4000, WIDTH, n_informative=8, random_state=0)
METHODS = ["predict", "predict_proba"]
DEADLINE = 60.0


@dataclass
class Model:
    """As the platform would have it after admission."""

    fmt: str
    content: bytes
    signature: dict[str, Any]

    @property
    def descriptor(self) -> int:
        found = os.memfd_create("model")
        os.write(found, self.content)
        return found

    def load(self, host: Host, name: str) -> None:
        descriptor = self.descriptor
        host.load(name, descriptor, fmt=self.fmt, signature=self.signature, deadline=DEADLINE)
        os.close(descriptor)


def rows(number: int, count: int = 1) -> Rows:
    start = number % (len(TABLE) - count)
    return Rows([TABLE[start : start + count]], count)


def admitted(found: Runner, estimator: Any) -> tuple[Model, Model | None]:
    """The original, and its first graph, as the runner's own inspector compiles it."""
    descriptor = os.memfd_create("upload")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        joblib.dump(estimator, file)
    inspection = found.inspect(descriptor, fmt=SKLEARN, deadline=DEADLINE)
    signature = {**inspection.report["signature"], "methods": inspection.report["methods"]}
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(descriptor, "rb") as file:
        original = Model(SKLEARN, file.read(), signature)
    graphs = inspection.graphs
    return original, Model(GRAPH, graphs[0], signature) if graphs else None


def overhead(table: Table, found: Runner, what: str, model: Model) -> None:
    """One row, answered in this process and by a host, taking turns."""
    host = found.host(f"overhead:{what}", kind="graph" if model.fmt == GRAPH else "estimator")
    model.load(host, "m")
    bare = predictors.from_bytes(model.content, fmt=model.fmt, signature=model.signature)
    without, with_it = medians_ms(
        [
            lambda number: bare.predict(rows(number), METHODS),
            lambda number: host.predict("m", rows(number), METHODS, deadline=DEADLINE),
        ],
        1000 if without_joblib(model) else 200,
    )
    added = with_it - without
    measured = f"{without:.3f} -> {with_it:.3f} ms: {added:+.3f} ms"
    table.add(f"one row of {what}, median, sandbox added", measured, "< 0.2 ms", met=added < 0.2)
    host.kill()


def without_joblib(model: Model) -> bool:
    return model.fmt == GRAPH or len(model.content) < 1 << 20


def crowd(table: Table, found: Runner, what: str, model: Model, seconds: float) -> None:
    """One client at a time, and sixteen together."""
    hosts = [found.host("crowd", kind="estimator") for _ in range(16)]
    model.load(hosts[0], "m")
    clients = [asking(host, 1) for host in hosts]
    one = per_second(clients[:1], seconds)
    for count, goal in ((4, 0), (16, 10)):
        many = per_second(clients[:count], seconds)
        table.add(
            f"{what} ({1000 / one:.1f} ms a call): {count} clients against one",
            f"{one:.0f} -> {many:.0f} rows/s: {many / one:.1f} times",
            f">= {goal} times" if goal else "",
            met=many / one >= goal,
        )
    hosts[0].kill()


def asking(host: Host, count: int) -> Any:
    numbers = iter(range(host.requests, 1 << 60))

    def ask() -> int:
        host.predict("m", rows(next(numbers), count), METHODS, deadline=DEADLINE)
        return count

    return ask


def two_hosts(table: Table, found: Runner, what: str, model: Model, count: int, s: float) -> None:
    """The same work by one host and by two: what a replica gives once the runner made it."""
    first, second = (found.host(f"replica:{number}", kind="estimator") for number in (1, 2))
    model.load(first, "m")
    model.load(second, "m")
    more = [found.host(f"replica:{number}", kind="estimator") for number in (1, 2)]
    one = per_second([asking(host, count) for host in (first, more[0])], s)
    two = per_second([asking(host, count) for host in (first, second)], s)
    table.add(
        f"{what}, {count} rows a request, 2 clients: two hosts against one",
        f"{one:.0f} -> {two:.0f} rows/s: {two / one:.2f} times",
        "nearly 2 on idle cores",
    )
    first.kill()
    second.kill()


def births(table: Table, found: Runner, models: dict[str, Model]) -> None:
    def live(_: int) -> None:
        host = found.fresh_host(kind="graph")
        host.rename("nothing", None, deadline=DEADLINE)
        host.close()

    table.add("fork to ready: locked down and answering", f"{median_ms(live, 30):.1f} ms")
    for what, model in models.items():
        host = found.fresh_host(kind="estimator")
        taken = median_ms(lambda number, m=model, h=host: m.load(h, str(number)), 10)
        first = median_once(host)
        table.add(f"load {what} ({len(model.content) >> 10} KiB)", f"{taken:.1f} ms, then {first}")
        host.close()


def median_once(host: Host) -> str:
    started = perf_counter()
    host.predict("0", rows(0), METHODS, deadline=DEADLINE)
    return f"{(perf_counter() - started) * 1000:.1f} ms for the first answer"


def two_hundred(table: Table, found: Runner, model: Model, estimator: Model) -> None:
    """An organization with 200 compiled models, asked in turn; and hosts of one model each."""
    host = found.host("organization", kind="graph")
    empty = memory_of(found, host.child)
    started = perf_counter()
    for number in range(200):
        model.load(host, f"model {number}")
    seconds = perf_counter() - started
    taken = median_ms(
        lambda number: host.predict(
            f"model {number % 200}", rows(number), METHODS, deadline=DEADLINE
        ),
        1000,
    )
    grown = memory_of(found, host.child) - empty
    table.add("200 compiled models of one organization, loaded", f"{seconds:.2f} s")
    table.add("one row of each in turn, median", f"{taken:.3f} ms")
    table.add("memory: a host without a model", f"{empty / 2**20:.1f} MiB")
    table.add("memory: one compiled model more", f"{grown / 200 / 2**20:.2f} MiB")
    alone = found.host("alone", kind="estimator")
    estimator.load(alone, "m")
    alone.predict("m", rows(0), METHODS, deadline=DEADLINE)
    size = memory_of(found, alone.child) / 2**20
    table.add(
        f"memory: a host with a forest of {len(estimator.content) >> 20} MiB", f"{size:.1f} MiB"
    )
    host.kill()
    alone.kill()


def memory_of(found: Runner, child: int) -> int:
    """As the runner measures it, which it does every two seconds."""
    sleep(5)
    return next(one["memory"] for one in found.status()["children"] if one["child"] == child)


def inspections(table: Table, found: Runner, estimators: dict[str, Any]) -> None:
    for what, estimator in estimators.items():
        seconds = []
        for _ in range(5):
            started = perf_counter()
            admitted(found, estimator)
            seconds.append(perf_counter() - started)
        table.add(
            f"inspect and compile {what}, in a fresh child",
            f"{statistics.median(seconds) * 1000:.0f} ms",
        )


def main(seconds: float) -> int:
    table = Table()
    logistic = make_pipeline(StandardScaler(), LogisticRegression()).fit(TABLE, LABELS)
    forest = RandomForestClassifier(200, random_state=0, n_jobs=1).fit(TABLE, LABELS)
    neighbours = KNeighborsClassifier(algorithm="brute").fit(TABLE, LABELS)
    with runner() as (path, start):
        found = Runner(path)
        table.add("start of the runner, all libraries imported", f"{start:.1f} s")
        small, small_graph = admitted(found, logistic)
        big, big_graph = admitted(found, forest)
        near, _ = admitted(found, neighbours)
        overhead(table, found, "a compiled logistic regression", small_graph)
        overhead(table, found, "a compiled forest of 200 trees", big_graph)
        overhead(table, found, "a logistic regression, not compiled", small)
        overhead(table, found, "a forest of 200 trees, not compiled", big)
        crowd(table, found, "forest, not compiled", big, seconds)
        two_hosts(table, found, "neighbours by brute force", near, 500, seconds)
        births(table, found, {"the pipeline": small, "its graph": small_graph, "the forest": big})
        inspections(table, found, {"the pipeline": logistic, "the forest": forest})
        two_hundred(table, found, small_graph, big)
    if table.missed:
        print(f"\nMissed: {'; '.join(table.missed)}")
    return len(table.missed)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
