"""Which version answers: aliases are moved, bytes never are."""

from datetime import datetime

from django.db import transaction

from accounts import audit, generation
from accounts.models import User
from registry import golden
from registry.errors import VersionNotReady
from registry.models import Alias, ModelVersion, RegisteredModel


def promote(version: ModelVersion, *, alias: str, by: User, at: datetime) -> Alias:
    """Let `alias` point at the version from now on; going back is the same call.

    Its golden example is asked first: a version that answers otherwise than when it was admitted
    is taken out of service. Raises VersionNotReady, AnswersOtherwise or GoldenUnanswered, and then
    the old version goes on serving.
    """
    _require_serving(version)
    # Before the transaction: a child may take seconds, and no row stays locked for that.
    golden.replay_or_hold(version)
    return _promote(version, alias=alias, by=by, at=at)


@transaction.atomic
def _promote(version: ModelVersion, *, alias: str, by: User, at: datetime) -> Alias:
    model = RegisteredModel.objects.select_for_update().get(pk=version.model_id)
    version = model.versions.select_for_update().get(pk=version.pk)
    version.model = model
    _require_serving(version)
    return point(version, alias=alias, by=by, at=at)


def _require_serving(version: ModelVersion) -> None:
    if not version.is_serving:
        raise VersionNotReady(
            f"Version {version.number} is {_state(version)}; only a ready version can answer."
            + (f" {version.reason}" if version.reason else "")
        )


def _state(version: ModelVersion) -> str:
    is_held = version.status == ModelVersion.Status.QUARANTINED
    return "in quarantine" if is_held else version.status


@transaction.atomic
def point(version: ModelVersion, *, alias: str, at: datetime, by: User | None = None) -> Alias:
    """`by` None: the platform does, after an admission."""
    before = version.model.aliases.filter(name=alias).values_list("version__number", flat=True)
    _record("version.promoted", version, by, alias=alias, before=before.first())
    pointed, _ = Alias.objects.update_or_create(
        model_id=version.model_id, name=alias, defaults={"version": version, "updated_at": at}
    )
    generation.bump(version.model.organization)
    return pointed


@transaction.atomic
def remove_alias(model: RegisteredModel, *, alias: str, by: User) -> None:
    """The name points nowhere from now on. One that is not there is no error."""
    for pointed in model.aliases.filter(name=alias).select_related("version__model"):
        pointed.delete()
        _record("alias.removed", pointed.version, by, alias=alias)
    generation.bump(model.organization)


def _record(verb: str, version: ModelVersion, by: User | None, **detail: object) -> None:
    audit.record(
        organization=version.model.organization,
        by=by,
        verb=verb,
        target=version,
        detail={"version": version.number, "model": version.model.name, **detail},
    )
