"""Which version answers: aliases are moved, bytes never are."""

from datetime import datetime

from django.db import transaction

from registry.errors import VersionNotReady
from registry.models import Alias, ModelVersion, RegisteredModel


@transaction.atomic
def promote(version: ModelVersion, *, alias: str, at: datetime) -> Alias:
    """Let `alias` point at the version from now on; going back is the same call.

    Raises VersionNotReady, and then the old version goes on serving.
    """
    RegisteredModel.objects.select_for_update().get(pk=version.model_id)
    if not version.is_serving:
        raise VersionNotReady(
            f"Version {version.number} is {version.status}; only a ready version can answer."
            + (f" {version.reason}" if version.reason else "")
        )
    return point(version, alias=alias, at=at)


def point(version: ModelVersion, *, alias: str, at: datetime) -> Alias:
    pointed, _ = Alias.objects.update_or_create(
        model_id=version.model_id, name=alias, defaults={"version": version, "updated_at": at}
    )
    return pointed
