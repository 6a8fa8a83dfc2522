"""From bytes to an endpoint: inspect, compile, judge, mark ready or reject.

Runs in a worker. Nothing here parses the artifact or the graph: the runner's
children do, and what they answer is the uploader's word until we have
compared two of them ourselves.
"""

import time
from contextlib import ExitStack
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DataError, transaction

from accounts import audit
from registry import artifacts, promotion
from registry.errors import ClaimLost, RegistryProblem
from registry.formats import disagreement
from registry.heartbeat import beating
from registry.judging import Verdict, judge
from registry.models import CHAMPION, ModelVersion, RegisteredModel
from registry.sample_check import check_sample
from registry.sandbox import Inspection, Runner, RunnerUnavailable, SandboxError
from registry.signature import InvalidSignature, Signature
from registry.steps import Steps

logger = structlog.get_logger(__name__)

GAVE_UP = (
    "The model was tried three times and each time its worker died. It may need more memory "
    "than a worker has."
)


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
        _admit(version, Runner(settings.RUNNER_SOCKET), steps, at=at)
    except RunnerUnavailable as error:
        _wait(version, steps, code=error.code, reason=error.reason)
    except SandboxError as error:
        _reject(version, steps, code=error.code, reason=error.reason)
    except RegistryProblem as error:
        _wait(version, steps, code=error.code, reason=error.detail)
    except InvalidSignature as error:
        reason = f"The model's description is unusable: {error}."
        _reject(version, steps, code="bad_reply", reason=reason)
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
        logger.exception("unusable report", version_id=str(version.pk))
        reason = "The model's description is unusable."
        _reject(version, steps, code="bad_reply", reason=reason)


def _admit(version: ModelVersion, runner: Runner, steps: Steps, *, at: datetime) -> None:
    started = time.perf_counter()
    version.checked_with = runner.status().get("libraries", {})
    with ExitStack() as stack:
        with steps.run("scanned") as step:
            artifact = stack.enter_context(artifacts.open_artifact(version.digest))
            version.recognize(runner.scan(artifact.fileno(), deadline=_deadline()))
            step["note"] = disagreement(version.declared_format, version.format)
        inspection, signature = _opened(version, runner, artifact, steps)
        with steps.run("verified") as step:
            sample = check_sample(runner, version, artifact, inspection, signature)
            signature = sample.signature
            verdict = judge(runner, version, artifact, inspection, signature, extra=sample.rows)
            step["note"] = verdict.parity.get("reason") or "the graph answers as the original does"
    estimator = inspection.report.get("estimator", {})
    told = [
        disagreement(version.declared_format, version.format),
        *estimator.get("warnings", []),
        *sample.warnings,
    ]
    facts = {
        **estimator,
        "warnings": [warning for warning in told if warning],
        "imports": inspection.report.get("scan", {}).get("imports", []),
        "admission_seconds": round(time.perf_counter() - started, 3),
    }
    _open_for_use(version, signature, facts, verdict, at=at)


def _opened(
    version: ModelVersion, runner: Runner, artifact: BinaryIO, steps: Steps
) -> tuple[Inspection, Signature]:
    """What a child reads and compiles in one go. Raises InvalidSignature."""
    with steps.run("opened"):
        inspection = runner.inspect(artifact.fileno(), fmt=version.format, deadline=_deadline())
        report = inspection.report
    with steps.run("signature"):
        signature = Signature.from_json({**report["signature"], "methods": report["methods"]})
    told = report["seconds"]
    steps.split("opened", {name: float(told[name]) for name in ("signature", "compiled")})
    if not inspection.graphs:
        note = report.get("not_compiled") or "not compiled"
        steps.find("compiled").update(state="skipped", note=note)
    return inspection, signature


def _deadline() -> float:
    return settings.ADMISSION_DEADLINE_SECONDS


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
def _reject(version: ModelVersion, steps: Steps, *, code: str, reason: str) -> None:
    steps.stop("failed", note=reason)
    version.reject(code=code, reason=reason)
    _record("version.rejected", version, code=code, reason=reason)


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
