"""Who may do what: one table for the roles of people, one for the scopes of keys."""

from enum import StrEnum

from django.db.models import TextChoices


class Capability(StrEnum):
    READ = "read"  # see models, versions, predictions, usage
    PREDICT = "predict"
    RUN_JOBS = "run_jobs"  # batch predictions
    DEPLOY = "deploy"  # upload, promote, archive
    MANAGE_KEYS = "manage_keys"  # one's own API keys
    ADMINISTER = "administer"  # members, limits, everybody's keys


class Role(TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"


class Scope(TextChoices):
    PREDICT = "predict"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    JOBS = "jobs"
    ADMIN = "admin"


EVERYTHING = frozenset(Capability)

OF_ROLE: dict[str, frozenset[Capability]] = {
    Role.OWNER: EVERYTHING,
    Role.ADMIN: EVERYTHING,
    Role.DEVELOPER: EVERYTHING - {Capability.ADMINISTER},
    Role.VIEWER: frozenset({Capability.READ, Capability.MANAGE_KEYS}),
}

OF_SCOPE: dict[str, frozenset[Capability]] = {
    Scope.PREDICT: frozenset({Capability.PREDICT}),
    Scope.MODELS_READ: frozenset({Capability.READ}),
    Scope.MODELS_WRITE: frozenset({Capability.READ, Capability.DEPLOY}),
    Scope.JOBS: frozenset({Capability.RUN_JOBS}),
    Scope.ADMIN: EVERYTHING,
}

# What a key may do unless it is told otherwise: all its owner's work, but not administration.
DEFAULT_SCOPES = (Scope.PREDICT, Scope.MODELS_READ, Scope.MODELS_WRITE, Scope.JOBS)


def capabilities_of(role: str, scopes: list[str] | None = None) -> frozenset[Capability]:
    """What this role may do; with `scopes` (a key's), only as far as these reach."""
    of_role = OF_ROLE.get(role, frozenset())
    if scopes is None:
        return of_role
    return of_role & frozenset().union(*(OF_SCOPE.get(scope, ()) for scope in scopes))
