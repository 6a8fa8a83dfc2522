"""What is said of a model, and taking it out of service."""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import audit, generation
from accounts.models import User
from registry.models import RegisteredModel


@transaction.atomic
def describe_model(model: RegisteredModel, *, by: User, at: datetime, **changes: Any) -> None:
    """Change description, tags, metadata, or how the model answers."""
    model.describe(at=at, **changes)
    generation.bump(model.organization)
    audit.record(
        organization=model.organization,
        by=by,
        verb="model.described",
        target=model,
        detail={"fields": sorted(changes)},
    )


@transaction.atomic
def delete_model(model: RegisteredModel, *, by: User, at: datetime) -> None:
    """It answers no more and its name is free; rows and log stay."""
    model.soft_delete(at=at)
    audit.record(organization=model.organization, by=by, verb="model.deleted", target=model)
    generation.bump(model.organization)
