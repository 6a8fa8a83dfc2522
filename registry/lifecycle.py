"""What becomes of an admitted version: pinned to the original, deprecated, archived, put back."""

from copy import copy

from django.db import transaction

from accounts import audit, generation
from accounts.models import User
from registry import golden
from registry.errors import VersionInUse, VersionNotReady
from registry.models import ModelVersion, RegisteredModel

_VERBS = {
    ModelVersion.Status.READY: "version.restored",
    ModelVersion.Status.DEPRECATED: "version.deprecated",
    ModelVersion.Status.ARCHIVED: "version.archived",
}


def change_version(
    version: ModelVersion, *, by: User, pinned: bool | None = None, status: str | None = None
) -> ModelVersion:
    """Pin or unpin the version; make it READY, DEPRECATED or ARCHIVED. None leaves a thing as is.

    What will answer is asked its golden example first. Raises VersionNotReady, VersionInUse,
    AnswersOtherwise or GoldenUnanswered, and then nothing has changed.
    """
    if version.is_admitted and status != ModelVersion.Status.ARCHIVED:
        _ask(version, pinned=version.pinned if pinned is None else pinned)
    return _change(version, by=by, pinned=pinned, status=status)


def _ask(version: ModelVersion, *, pinned: bool) -> None:
    if version.is_serving and pinned == version.pinned:
        return  # nothing else will answer than does now
    asked = copy(version)
    asked.pinned = pinned
    golden.replay(asked)


@transaction.atomic
def _change(
    version: ModelVersion, *, by: User, pinned: bool | None, status: str | None
) -> ModelVersion:
    # The model's row, as a promote locks it: no alias moves to a version while it is archived.
    model = RegisteredModel.objects.select_for_update().get(pk=version.model_id)
    # The version's too: `golden.hold` takes it without the model's.
    version = model.versions.select_for_update().get(pk=version.pk)
    version.model = model
    if not version.is_admitted:
        raise VersionNotReady(f"{version} is {version.status}; only an admitted one is changed.")
    if pinned is not None and pinned != version.pinned:
        version.pin(pinned)
        _record("version.pinned" if pinned else "version.unpinned", version, by)
    if status is not None and status != version.status:
        _retire(version, status)
        _record(_VERBS[status], version, by)
    generation.bump(model.organization)
    return version


def _retire(version: ModelVersion, status: str) -> None:
    names = list(version.aliases.values_list("name", flat=True))
    if status == ModelVersion.Status.ARCHIVED and names:
        raise VersionInUse(
            f"{version} is {' and '.join(names)}; point that at another version, then archive it."
        )
    version.retire(status)


def _record(verb: str, version: ModelVersion, by: User) -> None:
    audit.record(
        organization=version.model.organization,
        by=by,
        verb=verb,
        target=version,
        detail={"version": version.number, "model": version.model.name},
    )
