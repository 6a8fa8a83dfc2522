"""From bytes to an endpoint: inspect, compile, judge, mark ready or reject.

Runs in a worker. Nothing here parses the artifact or the graph: the runner's
children do, and what they answer is the uploader's word until we have
compared two of them ourselves.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DataError, transaction

from accounts import audit
from registry import artifacts, promotion, scan_policy
from registry.errors import ClaimLost, RegistryProblem
from registry.formats import LIBRARIES, disagreement
from registry.heartbeat import beating
from registry.judging import Verdict, judge
from registry.models import CHAMPION, ImportRule, ModelVersion, RegisteredModel
from registry.sample_check import check_sample
from registry.sandbox import ChildDied, Inspection, Runner, RunnerUnavailable, SandboxError
from registry.signature import InvalidSignature, Signature
from registry.steps import OPENING, Steps

SANDBOX_INCOMPLETE = "sandbox_incomplete"

logger = structlog.get_logger(__name__)

GAVE_UP = (
    "The model was tried three times and each time its worker died. It may need more memory "
    "than a worker has."
)


@dataclass(frozen=True)
class Found:
    """What a version is opened for use with."""

    signature: Signature
    facts: dict[str, Any]
    verdict: Verdict


class Stopped(Exception):
    """Admission goes no further: the version is rejected, or an operator decides about it."""

    def __init__(self, code: str, reason: str, *, verdict: str = scan_policy.REJECT) -> None:
        super().__init__(reason)
        self.code, self.reason, self.verdict = code, reason, verdict


def admit(version_id: UUID, *, at: datetime) -> None:
    """Take the waiting version through admission. Safe to call twice: one call claims it."""
    if not ModelVersion.objects.claim(version_id, at=at):
        return
    version = ModelVersion.objects.select_related("model__organization").get(pk=version_id)
    try:
        with beating(version):
            _try(version, Steps(version, at=at), at=at)
    except ClaimLost:
        logger.warning("claim lost", version_id=str(version_id))
        return
    logger.info("admission ended", version_id=str(version_id), status=version.status)


def _try(version: ModelVersion, steps: Steps, *, at: datetime) -> None:
    """Every way out of an admission ends here, in the version's row."""
    if version.attempts > ModelVersion.MAX_ATTEMPTS:
        _reject(version, steps, code="gave_up", reason=GAVE_UP)
        return
    try:
        steps.restart()
        with _faults_of_the_file(version):
            _admit(version, Runner(settings.RUNNER_SOCKET), steps, at=at)
    except RunnerUnavailable as error:
        # Waiting helps where the runner comes back, not where its kernel lacks a fence.
        end = _reject if error.code == SANDBOX_INCOMPLETE else _wait
        end(version, steps, code=error.code, reason=error.reason)
    except RegistryProblem as error:
        _wait(version, steps, code=error.code, reason=error.detail)
    except Stopped as stop:
        if stop.verdict == scan_policy.QUARANTINE:
            _quarantine(version, steps, code=stop.code, reason=stop.reason)
        else:
            _reject(version, steps, code=stop.code, reason=stop.reason)


@contextmanager
def _faults_of_the_file(version: ModelVersion) -> Iterator[None]:
    """What goes wrong through the file, and not through the platform, is raised as Stopped."""
    try:
        yield
    except RunnerUnavailable:
        raise
    except SandboxError as error:
        raise Stopped(error.code, error.reason) from error
    except SoftTimeLimitExceeded as error:
        raise Stopped("model_timed_out", "All steps together took longer than they may.") from error
    except InvalidSignature as error:
        raise Stopped("bad_reply", f"The model's description is unusable: {error}.") from error
    except (
        ArithmeticError,
        AttributeError,
        DataError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        # What the child reported has a shape that nothing of ours expected.
        logger.exception("unusable report", version_id=str(version.pk))
        raise Stopped("bad_reply", "The model's description is unusable.") from error


def _admit(version: ModelVersion, runner: Runner, steps: Steps, *, at: datetime) -> None:
    started = time.perf_counter()
    version.checked_with = runner.status().get("libraries", {})
    twin = _twin_of(version)
    with ExitStack() as stack:
        with steps.run("scanned") as step:
            artifact = stack.enter_context(artifacts.open_artifact(version.digest))
            if twin:
                step["note"] = f"as found in {twin}, which has the same bytes"
                version.adopt(twin)
            else:
                version.recognize(runner.scan(artifact.fileno(), deadline=_deadline()))
                step["note"] = disagreement(version.declared_format, version.format)
            _judge_scan(version, version.scan)
        found = _found_in(twin, version, steps) if twin else _find(version, runner, artifact, steps)
    seconds = round(time.perf_counter() - started, 3)
    _open_for_use(version, found, seconds=seconds, at=at)


def _twin_of(version: ModelVersion) -> ModelVersion | None:
    """A version whose findings hold for this one: the same bytes uploaded twice are opened once.

    Two at once are both opened: nobody waits for another's worker.
    """
    if version.released_at:
        return None  # admitted anew, with its answers of today: not with those it was held for
    twin = ModelVersion.objects.twins_of(version).first()
    if twin and twin.graph_digest and not artifacts.is_stored(twin.graph_digest):
        return None  # whoever restores the storage uploads again
    return twin


def _found_in(twin: ModelVersion, version: ModelVersion, steps: Steps) -> Found:
    # What opening it showed, by the rules of now.
    _judge_scan(version, {"imports": twin.facts.get("imports", ())})
    verdict = Verdict(twin.graph_digest, twin.parity, twin.golden)
    steps.skip(OPENING, note=f"as found in {twin}, which has the same bytes")
    return Found(twin.checked_signature, twin.facts, verdict)


def _find(version: ModelVersion, runner: Runner, artifact: BinaryIO, steps: Steps) -> Found:
    inspection, signature = _opened(version, runner, artifact, steps)
    with steps.run("sample") as step:
        sample = check_sample(runner, version, artifact, inspection, signature)
        if not version.sample_digest:
            step.update(state="skipped", note="no sample was uploaded beside the model")
    signature = sample.signature
    with steps.run("verified") as step:
        verdict = judge(runner, version, artifact, inspection, signature, extra=sample.rows)
        step["note"] = verdict.parity.get("reason") or "the graph answers as the original does"
    return Found(signature, _facts(version, inspection.report, sample.warnings), verdict)


def _facts(
    version: ModelVersion, report: dict[str, Any], warnings: Iterable[str]
) -> dict[str, Any]:
    """What the version's page tells: the child's word, and what we have to say of it."""
    estimator = report.get("estimator", {})
    ours = disagreement(version.declared_format, version.format)
    told = [ours, *estimator.get("warnings", []), *warnings]
    return {
        **estimator,
        "warnings": [warning for warning in told if warning],
        "imports": report["scan"]["imports"],
    }


def _opened(
    version: ModelVersion, runner: Runner, artifact: BinaryIO, steps: Steps
) -> tuple[Inspection, Signature]:
    """What a child reads and compiles in one go. Raises InvalidSignature."""
    with steps.run("opened"):
        inspection = _inspected(version, runner, artifact)
        report = inspection.report
        # What a file hides from the scanner shows when it is opened. A claim, but against itself.
        _judge_scan(version, {"imports": report["scan"]["imports"]})
    with steps.run("signature"):
        signature = Signature.from_json({**report["signature"], "methods": report["methods"]})
    told = report["seconds"]
    steps.split("opened", {name: float(told[name]) for name in ("signature", "compiled")})
    if not inspection.graphs:
        note = report.get("not_compiled") or "not compiled"
        steps.find("compiled").update(state="skipped", note=note)
    return inspection, signature


def _inspected(version: ModelVersion, runner: Runner, artifact: BinaryIO) -> Inspection:
    try:
        return runner.inspect(artifact.fileno(), fmt=version.format, deadline=_deadline())
    except ChildDied as error:
        library = LIBRARIES.get(version.format)
        if library is None:
            raise
        raise ChildDied(
            f"The model's library crashed while opening the file. {error.reason} The file is "
            f"damaged, or made to do so. Save the model again with {library}."
        ) from error


def _judge_scan(version: ModelVersion, scan: dict[str, Any]) -> None:
    """Raises Stopped. What an operator has released is not quarantined again, but may be denied."""
    decision = scan_policy.decide(scan, ImportRule.objects.all(), settings.SCAN_POLICY)
    is_released = decision.verdict == scan_policy.QUARANTINE and version.released_at
    if decision.verdict != scan_policy.OPEN and not is_released:
        raise Stopped(decision.code, decision.reason, verdict=decision.verdict)


def _deadline() -> float:
    return settings.ADMISSION_DEADLINE_SECONDS


@transaction.atomic
def _open_for_use(version: ModelVersion, found: Found, *, seconds: float, at: datetime) -> None:
    """READY; the first ready version of a model answers at once, later ones wait for a promote."""
    # Lock the model's row: a promote at this very moment must not be overridden.
    model = RegisteredModel.objects.select_for_update().get(pk=version.model_id)
    version.mark_ready(
        signature=found.signature,
        facts={**found.facts, "admission_seconds": seconds},
        graph_digest=found.verdict.graph_digest,
        parity=found.verdict.parity,
        golden=found.verdict.golden,
        at=at,
    )
    _record("version.ready", version)
    if model.deleted_at is None and not model.aliases.filter(name=CHAMPION).exists():
        promotion.point(version, alias=CHAMPION, at=at)


@transaction.atomic
def _reject(version: ModelVersion, steps: Steps, *, code: str, reason: str) -> None:
    steps.stop("failed", note=reason)
    version.reject(code=code, reason=reason)
    _record("version.rejected", version, code=code, reason=reason)


@transaction.atomic
def _quarantine(version: ModelVersion, steps: Steps, *, code: str, reason: str) -> None:
    steps.stop("waiting", note=reason)
    version.quarantine(code=code, reason=reason)
    _record("version.quarantined", version, code=code, reason=reason)


def _wait(version: ModelVersion, steps: Steps, *, code: str, reason: str) -> None:
    steps.stop("waiting", note=reason)
    version.wait(code=code, reason=reason)


def _record(verb: str, version: ModelVersion, **detail: str) -> None:
    audit.record(
        organization=version.model.organization,
        by=None,
        verb=verb,
        target=version,
        detail={"version": version.number, "model": version.model.name, **detail},
    )
