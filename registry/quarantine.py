"""What an operator does with a version that is not opened until somebody has looked at it."""

from datetime import datetime
from functools import partial

from django.db import transaction

from accounts import audit
from accounts.models import User
from registry.errors import VersionNotReady
from registry.models import ModelVersion
from registry.steps import Steps
from registry.tasks import request_admission


@transaction.atomic
def release(version: ModelVersion, *, by: User, at: datetime) -> None:
    """Its admission goes on, and is not stopped by the same findings again.

    Raises VersionNotReady if it is not in quarantine.
    """
    version = _held(version)
    version.release(at=at)
    _record("version.released", version, by)
    transaction.on_commit(partial(request_admission, version.pk))


@transaction.atomic
def refuse(version: ModelVersion, *, reason: str, by: User, at: datetime) -> None:
    """Reject it for good; its uploader reads the reason. Raises VersionNotReady."""
    version = _held(version)
    told = f"An operator of this platform has rejected it: {reason}"
    Steps(version, at=at).stop("failed", note=told)
    version.reject(code="refused_by_operator", reason=told, facts=version.facts)
    _record("version.refused", version, by, reason=reason)


def _held(version: ModelVersion) -> ModelVersion:
    # Locked: of two operators who decide at once the second one is told.
    held = ModelVersion.objects.select_for_update(of=("self",)).select_related(
        "model__organization"
    )
    found = held.get(pk=version.pk)
    if found.status != ModelVersion.Status.QUARANTINED:
        raise VersionNotReady(f"{found} is {found.status}, not in quarantine.")
    return found


def _record(verb: str, version: ModelVersion, by: User, **detail: str) -> None:
    audit.record(
        organization=version.model.organization,
        by=by,
        verb=verb,
        target=version,
        detail={"version": version.number, "model": version.model.name, **detail},
    )
