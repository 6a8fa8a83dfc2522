"""From bytes to an endpoint: inspect, compile, judge, mark ready or reject.

Runs in a worker. Nothing here parses the artifact or the graph: the runner's
children do, and what they answer is the uploader's word until we have
compared two of them ourselves.
"""

import time
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DataError, transaction

from accounts import audit
from registry import artifacts, promotion
from registry.errors import RegistryProblem
from registry.judging import Verdict, judge
from registry.models import CHAMPION, ModelVersion, RegisteredModel
from registry.sandbox import Inspection, Runner, RunnerUnavailable, SandboxError
from registry.signature import InvalidSignature, Signature

logger = structlog.get_logger(__name__)


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
        scan = runner.scan(artifact.fileno(), deadline=settings.ADMISSION_DEADLINE_SECONDS)
        version.recognize(scan["format"])
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
