"""The golden examples asked again: before a promote, and when what runs the models has changed.

Each is asked of a fresh child: a host may hold the model since before the change.
"""

from time import monotonic

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts import audit, generation
from registry import artifacts, parity, probe_rows, serving
from registry.errors import AnswersOtherwise, GoldenUnanswered, RegistryProblem
from registry.models import Alias, ModelVersion
from registry.sandbox import (
    ChildDied,
    ChildTimedOut,
    Host,
    Output,
    Runner,
    RunnerUnavailable,
    SandboxError,
)
from registry.serving import Served

logger = structlog.get_logger(__name__)

# Nothing wrong with the model, or not for certain: asked again later.
PASSING = (RunnerUnavailable, ChildDied, ChildTimedOut)


def replay(version: ModelVersion) -> None:
    """Have what serves the version answer its golden examples.

    Raises AnswersOtherwise, or GoldenUnanswered when it could not be asked.
    """
    if not parity.examples(version.golden):
        return
    try:
        outputs = _asked(serving.served(version), version)
    except PASSING as error:
        raise GoldenUnanswered(
            f"{version} could not be asked for its golden example: {error.reason}", retry_after=5
        ) from error
    except SandboxError as error:
        raise AnswersOtherwise(f"{version} fails on its golden example: {error.reason}") from error
    if not parity.matches(version.golden, outputs):
        raise AnswersOtherwise(
            f"{version} does not answer its golden example as it did when it was admitted."
        )


def replay_or_hold(version: ModelVersion) -> None:
    """The same, and a version that answers otherwise serves no more. Raises what `replay` does."""
    try:
        replay(version)
    except AnswersOtherwise as error:
        hold(version, reason=error.detail)
        raise


def replay_outdated(*, seconds: float) -> int:
    """Ask every serving version that was checked with other libraries than the runner has now.

    For this long at most; called again it goes on. Returns how many were held. Raises
    SandboxError without a runner.
    """
    until = monotonic() + seconds
    libraries = Runner(settings.RUNNER_SOCKET).status().get("libraries", {})
    promoted = Exists(Alias.objects.filter(version=OuterRef("pk")))
    outdated = ModelVersion.objects.ready().filter(model__deleted_at=None)
    outdated = outdated.exclude(checked_with=libraries).select_related("model__organization")
    held = 0
    # Otherwise in no order: one that never answers in time does not keep the rest waiting for ever.
    for version in outdated.order_by(promoted.desc(), "?")[:1000]:
        if monotonic() > until:
            break
        held += _replay_with(version, libraries)
    return held


def _replay_with(version: ModelVersion, libraries: dict[str, str]) -> bool:
    """Whether the version had to be held."""
    try:
        replay(version)
    except AnswersOtherwise as error:
        hold(version, reason=f"{error.detail} {_what_changed(version.checked_with, libraries)}")
        return True
    except RegistryProblem as error:
        logger.warning("golden example not asked", version=str(version), reason=error.detail)
        return False
    except ValueError:
        # A row that nothing of ours understands must not keep the others from being asked.
        logger.exception("golden example not understood", version=str(version))
        return False
    version.recheck(libraries)
    return False


def _what_changed(before: dict[str, str], now: dict[str, str]) -> str:
    names = [name for name in sorted(now) if before.get(name, now[name]) != now[name]]
    told = ", ".join(f"{name} {before[name]} → {now[name]}" for name in names if name != "runner")
    return f"Since then this changed: {told or 'the platform itself'}."


@transaction.atomic
def hold(version: ModelVersion, *, reason: str) -> None:
    """Into quarantine: better no answer than a wrong one."""
    found = ModelVersion.objects.select_for_update(of=("self",)).select_related(
        "model__organization"
    )
    version = found.get(pk=version.pk)
    if not version.is_serving:
        return
    reason = f"{reason} An operator decides; you may also upload the model anew."
    version.quarantine(code=AnswersOtherwise.code, reason=reason)
    audit.record(
        organization=version.model.organization,
        by=None,
        verb="version.quarantined",
        target=version,
        detail={"version": version.number, "model": version.model.name, "reason": reason},
    )
    generation.bump(version.model.organization)


def _asked(served: Served, version: ModelVersion) -> dict[str, Output]:
    host = Runner(settings.RUNNER_SOCKET).fresh_host(kind=served.host_kind)
    try:
        _load(host, served)
        rows = probe_rows.golden_rows(served.signature, version.golden)
        return host.predict(
            served.served_digest,
            rows,
            served.signature.methods,
            deadline=settings.PREDICT_DEADLINE_SECONDS,
        )
    finally:
        host.close()


def _load(host: Host, served: Served) -> None:
    with artifacts.open_artifact(served.served_digest) as file:
        host.load(
            served.served_digest,
            file.fileno(),
            fmt=served.fmt,
            signature=served.signature.to_json(),
            deadline=settings.LOAD_DEADLINE_SECONDS,
        )
