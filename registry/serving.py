"""Who answers for a model: from a name in a URL to all that a prediction needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from accounts.models import Organization
from registry.errors import ModelNotFound, NothingServes, VersionNotFound, VersionNotReady
from registry.formats import GRAPH
from registry.models import CHAMPION, ModelVersion, RegisteredModel
from registry.payloads import Payloads
from registry.signature import Signature


@dataclass(frozen=True)
class Served:
    """A version as it is served."""

    organization_id: UUID
    model_id: UUID
    model_name: str
    version_id: UUID
    version_number: int
    digest: str  # of the uploaded artifact; part of every cache key
    served_digest: str  # of what the host loads: the graph, or the artifact
    fmt: str  # what the host is told to load: GRAPH, or the upload's format
    host_kind: str  # "graph" | "estimator"
    host_key: str  # versions with the same key share a child: never two organizations
    signature: Signature
    is_cached: bool = True  # whether its answers are remembered
    ignores_unknown: bool = False  # columns that the model does not take
    payloads: Payloads = field(default_factory=Payloads)  # what the log keeps of them
    # Asked again whenever a host loads the version.
    golden: Mapping[str, Any] = field(default_factory=dict, compare=False)


def resolve(
    *, organization: Organization, model: str, version: int | None = None, alias: str = CHAMPION
) -> Served:
    """The version that answers for `model` (id or name) in this organization.

    Raises ModelNotFound, VersionNotFound, NothingServes or VersionNotReady.
    """
    return served(answering(find_model(organization, model), version=version, alias=alias))


def answering(
    model: RegisteredModel, *, version: int | None = None, alias: str = CHAMPION
) -> ModelVersion:
    """Raises VersionNotFound, NothingServes or VersionNotReady."""
    return _by_alias(model, alias) if version is None else _by_number(model, version)


def find_model(organization: Organization, reference: str) -> RegisteredModel:
    """Raises ModelNotFound, for another organization's model too."""
    models = RegisteredModel.objects.for_organization(organization).live()
    model = models.called(reference).first()
    if model is None:
        raise ModelNotFound(f"Your organization has no model {reference[:100]!r}.")
    return model


def find_version(model: RegisteredModel, number: int) -> ModelVersion:
    """Raises VersionNotFound."""
    version = model.versions.filter(number=number).first()
    if version is None:
        raise VersionNotFound(f"{model.name} has no version {number}.")
    version.model = model
    return version


def _by_number(model: RegisteredModel, number: int) -> ModelVersion:
    return _serving(find_version(model, number))


def _serving(version: ModelVersion) -> ModelVersion:
    if not version.is_serving:
        raise VersionNotReady(_why_not(version))
    return version


def _by_alias(model: RegisteredModel, alias: str) -> ModelVersion:
    pointed = model.aliases.filter(name=alias).select_related("version").first()
    if pointed is not None:
        pointed.version.model = model
        return _serving(pointed.version)
    if alias != CHAMPION:
        raise VersionNotFound(f"{model.name} has no alias {alias[:50]!r}.")
    newest = model.versions.latest_first().first()
    raise NothingServes(_why_not(newest) if newest else f"{model.name} has no version yet.")


def _why_not(version: ModelVersion) -> str:
    if version.status == ModelVersion.Status.REJECTED:
        return f"Version {version.number} was rejected: {version.reason}"
    if version.status == ModelVersion.Status.QUARANTINED:
        return f"Version {version.number} is in quarantine: {version.reason}"
    if version.status == ModelVersion.Status.ARCHIVED:
        return f"Version {version.number} is archived."
    return f"Version {version.number} is still being admitted ({version.status}); ask again soon."


def served(version: ModelVersion) -> Served:
    """`version` with its model loaded."""
    is_graph = version.is_graph
    organization_id = version.model.organization_id
    return Served(
        organization_id=organization_id,
        model_id=version.model_id,
        model_name=version.model.name,
        version_id=version.pk,
        version_number=version.number,
        digest=version.digest,
        served_digest=version.graph_digest if is_graph else version.digest,
        fmt=GRAPH if is_graph else version.format,
        host_kind="graph" if is_graph else "estimator",
        host_key=f"graph:{organization_id}" if is_graph else f"estimator:{version.pk}",
        signature=version.checked_signature,
        is_cached=version.caching.serves,
        ignores_unknown=version.model.ignores_unknown_columns,
        payloads=version.model.kept_payloads,
        golden=version.golden,
    )
