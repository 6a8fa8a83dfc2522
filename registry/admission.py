"""From bytes to an endpoint: inspect, compile, judge, mark ready or reject.

Runs in a worker. Nothing here parses the artifact or the graph: the runner's
children do, and what they answer is the uploader's word until we have
compared two of them ourselves.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite
from typing import Any, BinaryIO
from uuid import UUID

import numpy as np
import structlog
from django.conf import settings
from django.db import DataError, transaction

from accounts import audit
from registry import artifacts, parity, probe_rows, promotion
from registry.errors import RegistryProblem
from registry.models import CHAMPION, ModelVersion, RegisteredModel
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
from registry.signature import InvalidSignature, Signature

logger = structlog.get_logger(__name__)

TIMED_ROWS = 15
# With fewer rows answered by the original, a graph's likeness would prove too little.
LEAST_ROWS = 30


@dataclass(frozen=True)
class Verdict:
    """How the version will be served, and what was measured on the way."""

    graph_digest: str
    parity: dict[str, Any]
    golden: dict[str, Any]


def admit(version_id: UUID, *, at: datetime) -> None:
    """Take the waiting version through admission. Safe to call twice: one call claims it."""
    if not ModelVersion.objects.claim(version_id, at=at):
        return
    version = ModelVersion.objects.select_related("model").get(pk=version_id)
    if version.attempts > ModelVersion.MAX_ATTEMPTS:
        _reject(
            version,
            code="gave_up",
            reason="The model was tried three times and each time its worker died. It may need "
            "more memory than a worker has.",
        )
        return
    try:
        _admit(version, Runner(settings.RUNNER_SOCKET), at=at)
    except RunnerUnavailable as error:
        version.wait(code=error.code, reason=error.reason)
    except SandboxError as error:
        _reject(version, code=error.code, reason=error.reason)
    except RegistryProblem as error:
        version.wait(code=error.code, reason=error.detail)
    except (
        ArithmeticError,
        AttributeError,
        DataError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ):
        # What the child reported has a shape that nothing of ours expected.
        logger.exception("unusable report", version_id=str(version_id))
        _reject(version, code="bad_reply", reason="The model's description is unusable.")
    logger.info("admission ended", version_id=str(version_id), status=version.status)


def _admit(version: ModelVersion, runner: Runner, *, at: datetime) -> None:
    started = time.perf_counter()
    with artifacts.open_artifact(version.digest) as artifact:
        inspection = _inspect(runner, artifact, version.format)
        try:
            signature = Signature.from_json(
                {**inspection.report["signature"], "methods": inspection.report["methods"]}
            )
        except (InvalidSignature, KeyError, TypeError) as error:
            reason = f"The model's description is unusable: {error}."
            _reject(version, code="bad_reply", reason=reason)
            return
        verdict = judge(runner, version, artifact, inspection, signature)
    facts = {
        **inspection.report.get("estimator", {}),
        "imports": inspection.report.get("scan", {}).get("imports", []),
        "admission_seconds": round(time.perf_counter() - started, 3),
    }
    _open_for_use(version, signature, facts, verdict, at=at)


def _inspect(runner: Runner, artifact: BinaryIO, fmt: str) -> Inspection:
    deadline = settings.ADMISSION_DEADLINE_SECONDS
    return runner.inspect(artifact.fileno(), fmt=fmt, deadline=deadline)


@transaction.atomic
def _open_for_use(
    version: ModelVersion,
    signature: Signature,
    facts: dict[str, Any],
    verdict: Verdict,
    *,
    at: datetime,
) -> None:
    """READY; the first ready version of a model answers at once, later ones wait for a promote."""
    # Lock the model's row: a promote at this very moment must not be overridden.
    RegisteredModel.objects.select_for_update().get(pk=version.model_id)
    version.mark_ready(
        signature=signature,
        facts=facts,
        graph_digest=verdict.graph_digest,
        parity=verdict.parity,
        golden=verdict.golden,
        at=at,
    )
    _record("version.ready", version)
    if not version.model.aliases.filter(name=CHAMPION).exists():
        promotion.point(version, alias=CHAMPION, at=at)


@transaction.atomic
def _reject(version: ModelVersion, *, code: str, reason: str) -> None:
    version.reject(code=code, reason=reason)
    _record("version.rejected", version, code=code, reason=reason)


def _record(verb: str, version: ModelVersion, **detail: str) -> None:
    audit.record(
        organization=version.model.organization,
        by=None,
        verb=verb,
        target=version,
        detail={"version": version.number, "model": version.model.name, **detail},
    )


def judge(
    runner: Runner,
    version: ModelVersion,
    artifact: BinaryIO,
    inspection: Inspection,
    signature: Signature,
) -> Verdict:
    """Let the original and each graph answer the same rows, each in a fresh child.

    The first graph that answers alike serves. Raises SandboxError when the
    original itself does not answer.
    """
    hints = inspection.report.get("hints") or []
    host = runner.fresh_host(kind="estimator")
    try:
        _load(host, version.digest, artifact, version.format, signature)
        rows, original = _answers(host, version.digest, signature, hints)
        seconds = _seconds_a_row(host, version.digest, rows, signature)
    finally:
        host.close()
    found = Parity(rows.count, None, 0.0, inspection.report.get("not_compiled") or "not compiled")
    if rows.count < LEAST_ROWS:
        found = replace(found, reason="the model answered too few of our rows to compare a graph")
    for graph in inspection.graphs if rows.count >= LEAST_ROWS else ():
        digest = artifacts.digest_of([graph])
        found, graph_seconds = _try_graph(runner, digest, graph, signature, rows, original)
        if found.holds:
            artifacts.save_bytes(graph)
            return Verdict(
                digest,
                _report(found, seconds, graph_seconds),
                _golden(signature, rows, original),
            )
    return Verdict("", _report(found, seconds, None), _golden(signature, rows, original))


def _load(host: Host, digest: str, file: BinaryIO, fmt: str, signature: Signature) -> None:
    deadline = settings.LOAD_DEADLINE_SECONDS
    host.load(digest, file.fileno(), fmt=fmt, signature=signature.to_json(), deadline=deadline)


def _answers(
    host: Host, digest: str, signature: Signature, hints: probe_rows.Hints
) -> tuple[Rows, dict[str, Any]]:
    """Probe rows and the original's answer; only those it answers, if it refuses some."""
    deadline = settings.ADMISSION_DEADLINE_SECONDS
    rows = probe_rows.make_rows(signature, hints)
    try:
        return rows, host.predict(digest, rows, signature.methods, deadline=deadline)
    except ModelRaised:
        rows = _those_it_answers(host, digest, signature, rows)
    rows = rows if rows.count else probe_rows.typical_row(signature, hints)
    return rows, host.predict(digest, rows, signature.methods, deadline=deadline)


def _those_it_answers(host: Host, digest: str, signature: Signature, rows: Rows) -> Rows:
    answered = []
    ends_at = time.monotonic() + settings.ADMISSION_DEADLINE_SECONDS
    for index in range(rows.count):
        left = ends_at - time.monotonic()
        if left <= 0:
            break
        try:
            host.predict(digest, rows.pick([index]), signature.methods, deadline=left)
            answered.append(index)
        except ModelRaised:
            pass  # no row for a comparison; what the model says of it is the caller's matter later
    return rows.pick(answered)


def _try_graph(
    runner: Runner,
    digest: str,
    graph: bytes,
    signature: Signature,
    rows: Rows,
    original: Mapping[str, Any],
) -> tuple[Parity, float]:
    """How the graph compares, and its seconds a row."""
    host = runner.fresh_host(kind="graph")
    try:
        with artifacts.as_descriptor(graph) as file:
            _load(host, digest, file, "onnx", signature)
        deadline = settings.ADMISSION_DEADLINE_SECONDS
        answers = host.predict(digest, rows, signature.methods, deadline=deadline)
        found = parity.compare(original, answers, rows=rows.count)
        return found, _seconds_a_row(host, digest, rows, signature) if found.holds else 0.0
    except RunnerUnavailable:
        raise
    except SandboxError as error:
        # The graph's fault only: the original still serves.
        return Parity(rows.count, None, 0.0, f"the graph failed: {error.reason}"), 0.0
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


def _golden(signature: Signature, rows: Rows, original: Mapping[str, Any]) -> dict[str, Any]:
    """The first probe row and the original's answer, to be replayed later."""
    first = {method: _first(output) for method, output in original.items()}
    return {"input": probe_rows.as_instances(signature, rows.pick([0]))[0], **first}


def _first(output: Any) -> Any:
    if isinstance(output, list) and output and isinstance(output[0], np.ndarray):
        return [_plain(part[0]) for part in output]
    return _plain(output[0])


def _plain(value: Any) -> Any:
    """As JSON: None where a number is not finite."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value
