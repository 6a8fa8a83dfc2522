"""Who may do what: one table for the roles of people, one for the scopes of keys."""

from enum import StrEnum

from django.db.models import TextChoices


class Capability(StrEnum):
    READ = "read"  # see models, versions, predictions, usage
    PREDICT = "predict"
    RUN_JOBS = "run_jobs"  # batch predictions
    DEPLOY = "deploy"  # upload, promote, archive
    MANAGE_KEYS = "manage_keys"  # one's own API keys
    SEE_PEOPLE = "see_people"  # who else is in the organization
    ADMINISTER = "administer"  # members, invitations, name, audit log, everybody's keys
    OWN = "own"  # appoint and remove owners, hand the organization over


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
ALL_BUT_OWNING = EVERYTHING - {Capability.OWN}

OF_ROLE: dict[str, frozenset[Capability]] = {
    Role.OWNER: EVERYTHING,
    Role.ADMIN: ALL_BUT_OWNING,
    Role.DEVELOPER: ALL_BUT_OWNING - {Capability.ADMINISTER},
    Role.VIEWER: frozenset({Capability.READ, Capability.SEE_PEOPLE, Capability.MANAGE_KEYS}),
}

OF_SCOPE: dict[str, frozenset[Capability]] = {
    Scope.PREDICT: frozenset({Capability.PREDICT}),
    Scope.MODELS_READ: frozenset({Capability.READ}),
    Scope.MODELS_WRITE: frozenset({Capability.READ, Capability.DEPLOY}),
    Scope.JOBS: frozenset({Capability.RUN_JOBS}),
    Scope.ADMIN: ALL_BUT_OWNING,
}

# What each capability lets people do: for the pages and docs/roles.md.
SENTENCES = {
    Capability.READ: "see models, versions, aliases and predictions",
    Capability.PREDICT: "predict",
    Capability.RUN_JOBS: "run batch predictions",
    Capability.DEPLOY: "upload models, promote versions, describe and delete models",
    Capability.MANAGE_KEYS: "make and revoke API keys of their own",
    Capability.SEE_PEOPLE: "see who is in the organization, and with which role",
    Capability.ADMINISTER: "invite, change and remove everybody but owners; rename the "
    "organization; read the audit log; revoke everybody's keys",
    Capability.OWN: "appoint and remove owners; transfer the organization",
}

# What a key may do unless it is told otherwise: all its owner's work, but not administration.
DEFAULT_SCOPES = (Scope.PREDICT, Scope.MODELS_READ, Scope.MODELS_WRITE, Scope.JOBS)


def capabilities_of(role: str, scopes: list[str] | None = None) -> frozenset[Capability]:
    """What this role may do; with `scopes` (a key's), only as far as these reach."""
    of_role = OF_ROLE.get(role, frozenset())
    if scopes is None:
        return of_role
    return of_role & frozenset().union(*(OF_SCOPE.get(scope, ()) for scope in scopes))


def manageable_with(capabilities: frozenset[Capability]) -> frozenset[str]:
    """The roles that may be given and taken with these capabilities: nobody reaches above."""
    if Capability.OWN in capabilities:
        return frozenset(Role.values)
    if Capability.ADMINISTER in capabilities:
        return frozenset(Role.values) - {Role.OWNER}
    return frozenset()
