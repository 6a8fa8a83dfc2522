"""Whether a compiled graph may answer for the original: two fresh children, the same rows."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, BinaryIO

import numpy as np
from django.conf import settings

from registry import artifacts, parity, probe_rows
from registry.formats import GRAPH
from registry.models import ModelVersion
from registry.parity import Parity
from registry.rows import Rows
from registry.sandbox import (
    Host,
    Inspection,
    ModelRaised,
    Runner,
    RunnerUnavailable,
    SandboxError,
)
from registry.signature import Signature

TIMED_ROWS = 15
# Asked first; the rest only if that leaves an upload ready soon.
FIRST_ROWS = 400
SECONDS_FOR_ROWS = 0.5
MOST_EXTRA_ROWS = 2000
GOLDEN_ROWS = 3
# So many are asked twice, to know a model that answers at random.
LOOKED_AT = 50
# With fewer rows answered by the original, a graph's likeness would prove too little.
LEAST_ROWS = 30


@dataclass(frozen=True)
class Verdict:
    """How the version will be served, and what was measured on the way."""

    graph_digest: str
    parity: dict[str, Any]
    golden: dict[str, Any]


def judge(
    runner: Runner,
    version: ModelVersion,
    artifact: BinaryIO,
    inspection: Inspection,
    signature: Signature,
    extra: Rows | None = None,
) -> Verdict:
    """Let the original and each graph answer the same rows, each in a fresh child.

    `extra` rows, which the original is known to answer, are asked beside ours.

    The first graph that answers alike serves. Raises SandboxError when the
    original itself does not answer.
    """
    hints = inspection.report.get("hints") or []
    host = runner.fresh_host(kind="estimator")
    try:
        _load(host, version.digest, artifact, version.format, signature)
        rows, original = _answers(host, version.digest, signature, hints, extra)
        seconds = _seconds_a_row(host, version.digest, rows, signature)
        deadline = settings.ADMISSION_DEADLINE_SECONDS
        first = rows.first(LOOKED_AT)
        again = host.predict(version.digest, first, signature.methods, deadline=deadline)
    finally:
        host.close()
    found = Parity(rows.count, None, 0.0, inspection.report.get("not_compiled") or "not compiled")
    if rows.count < LEAST_ROWS:
        found = replace(found, reason="the model answered too few of our rows to compare a graph")
    for graph in inspection.graphs if rows.count >= LEAST_ROWS else ():
        digest = artifacts.digest_of([graph])
        found, graph_seconds, answers = _try_graph(runner, digest, graph, signature, rows, original)
        if found.holds:
            artifacts.save_bytes(graph)
            return Verdict(
                digest,
                _report(found, seconds, graph_seconds),
                _golden(signature, rows, original, again, answers),
            )
    return Verdict("", _report(found, seconds, None), _golden(signature, rows, original, again))


def _load(host: Host, digest: str, file: BinaryIO, fmt: str, signature: Signature) -> None:
    deadline = settings.LOAD_DEADLINE_SECONDS
    host.load(digest, file.fileno(), fmt=fmt, signature=signature.to_json(), deadline=deadline)


def _answers(
    host: Host, digest: str, signature: Signature, hints: probe_rows.Hints, extra: Rows | None
) -> tuple[Rows, dict[str, Any]]:
    """Probe rows and the original's answer; only those it answers, if it refuses some."""
    deadline = settings.ADMISSION_DEADLINE_SECONDS
    rows = _as_many_as_quick(host, digest, signature, probe_rows.make_rows(signature, hints))
    if extra is not None:
        rows = rows.and_then(extra.first(MOST_EXTRA_ROWS))
    try:
        return rows, host.predict(digest, rows, signature.methods, deadline=deadline)
    except ModelRaised:
        rows = _those_it_answers(host, digest, signature, rows)
    rows = rows if rows.count else probe_rows.typical_row(signature, hints)
    return rows, host.predict(digest, rows, signature.methods, deadline=deadline)


def _as_many_as_quick(host: Host, digest: str, signature: Signature, rows: Rows) -> Rows:
    """All the rows, or the first of them where the model is slow."""
    few = rows.first(FIRST_ROWS)
    started = time.perf_counter()
    try:
        host.predict(digest, few, signature.methods, deadline=settings.ADMISSION_DEADLINE_SECONDS)
    except ModelRaised:
        pass  # it refuses some of them, which the search for those it takes will find again
    seconds = time.perf_counter() - started
    return rows if seconds * rows.count / few.count < SECONDS_FOR_ROWS else few


def _those_it_answers(host: Host, digest: str, signature: Signature, rows: Rows) -> Rows:
    """Found by halving: a model refuses a batch for a single row of it."""
    answered: list[int] = []
    waiting = [list(range(rows.count))]
    ends_at = time.monotonic() + settings.ADMISSION_DEADLINE_SECONDS / 2
    while waiting and (left := ends_at - time.monotonic()) > 0:
        indexes = waiting.pop()
        try:
            host.predict(digest, rows.pick(indexes), signature.methods, deadline=left)
            answered += indexes
        except ModelRaised:
            # A single row is none for a comparison; what the model says of it is the
            # caller's matter later.
            if (half := len(indexes) // 2) > 0:
                waiting += [indexes[half:], indexes[:half]]
    return rows.pick(sorted(answered))


def _try_graph(
    runner: Runner,
    digest: str,
    graph: bytes,
    signature: Signature,
    rows: Rows,
    original: Mapping[str, Any],
) -> tuple[Parity, float, Mapping[str, Any]]:
    """How the graph compares, its seconds a row, and its answers."""
    host = runner.fresh_host(kind="graph")
    try:
        with artifacts.as_descriptor(graph) as file:
            _load(host, digest, file, GRAPH, signature)
        deadline = settings.ADMISSION_DEADLINE_SECONDS
        answers = host.predict(digest, rows, signature.methods, deadline=deadline)
        found = parity.compare(original, answers, rows=rows.count)
        seconds = _seconds_a_row(host, digest, rows, signature) if found.holds else 0.0
        return found, seconds, answers
    except RunnerUnavailable:
        raise
    except SandboxError as error:
        # The graph's fault only: the original still serves.
        return Parity(rows.count, None, 0.0, f"the graph failed: {error.reason}"), 0.0, {}
    finally:
        host.close()


def _seconds_a_row(host: Host, digest: str, rows: Rows, signature: Signature) -> float:
    """Median of single rows, the exchange with the child included."""
    taken = []
    for index in range(min(TIMED_ROWS, rows.count)):
        row = rows.pick([index])
        started = time.perf_counter()
        host.predict(digest, row, signature.methods, deadline=settings.PREDICT_DEADLINE_SECONDS)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken))


def _report(found: Parity, seconds: float, graph_seconds: float | None) -> dict[str, Any]:
    report = {**found.to_json(), "original_ms": round(seconds * 1000, 3)}
    if graph_seconds:
        report["graph_ms"] = round(graph_seconds * 1000, 3)
        report["speedup"] = round(seconds / graph_seconds, 1)
    return report


def _golden(
    signature: Signature,
    rows: Rows,
    original: Mapping[str, Any],
    again: Mapping[str, Any],
    graph: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Some rows and the original's answers, to be replayed later.

    Rows that the graph answers otherwise are left out: labels that tie. Of a model that
    answers at random (not `again` as before) only an input is kept.
    """
    count = min(LOOKED_AT, rows.count)
    inputs = probe_rows.as_instances(signature, rows.first(count))
    examples = [
        {"input": inputs[at], **{name: _answer(output, at) for name, output in original.items()}}
        for at in range(count)
    ]
    if not all(parity.matches(one, _only(again, at)) for at, one in enumerate(examples)):
        return {"input": inputs[0]}
    if graph is not None:
        examples = [one for at, one in enumerate(examples) if parity.matches(one, _only(graph, at))]
    if not examples:
        return {"input": inputs[0]}
    return {**examples[0], "more": examples[1:GOLDEN_ROWS]}


def _only(outputs: Mapping[str, Any], at: int) -> dict[str, Any]:
    """The answers to one of the rows, as if it had been asked alone."""
    return {
        name: [part[at : at + 1] for part in output]
        if isinstance(output, list) and output and isinstance(output[0], np.ndarray)
        else output[at : at + 1]
        for name, output in outputs.items()
    }


def _answer(output: Any, at: int) -> Any:
    if isinstance(output, list) and output and isinstance(output[0], np.ndarray):
        return [_plain(part[at]) for part in output]
    return _plain(output[at])


def _plain(value: Any) -> Any:
    """As JSON: None where a number is not finite."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value
