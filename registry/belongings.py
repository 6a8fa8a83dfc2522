"""What the registry keeps of a person: for the export and the deletion of their account."""

from datetime import datetime
from typing import Any

from accounts.belongings import Belongings, register
from accounts.models import Organization, User
from registry.catalogue import delete_model
from registry.models import ModelVersion, RegisteredModel


def versions_by(user: User) -> list[dict[str, Any]]:
    versions = ModelVersion.objects.filter(created_by=user).select_related("model__organization")
    return [
        {
            "organization": version.model.organization.slug,
            "model": version.model.name,
            "version": version.number,
            "status": version.status,
            "digest": version.digest,
            "created_at": version.created_at,
        }
        for version in versions.order_by("created_at")
    ]


def delete_models_of(organization: Organization, by: User, at: datetime) -> None:
    for model in RegisteredModel.objects.for_organization(organization).live():
        delete_model(model, by=by, at=at)


register(Belongings("model_versions", export=versions_by, remove=delete_models_of))
