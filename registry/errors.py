"""What can go wrong in the registry, and how the caller is told.

* RegistryProblem
  - ModelNotFound          404  no such model in this organization
  - VersionNotFound        404  the model has no such version or alias
  - NothingServes          409  the model has no version that answers yet
  - VersionNotReady        409  the version has not passed admission
  - VersionInUse           409  an alias points at the version
  - AnswersOtherwise       409  the version does not answer its golden example as it did
  - GoldenUnanswered       503  the golden example could not be asked
  - InvalidName            400  the model's name cannot be part of a URL
  - ArtifactTooLarge       413  over MAX_ARTIFACT_BYTES
  - EmptyArtifact          400  a file of no bytes
  - SampleTooLarge         413  over MAX_SAMPLE_BYTES
  - ArtifactMissing, ArtifactCorrupt  503  the storage does not give back what was stored
  - StorageUnavailable     503  the storage does not take or give anything
* ClaimLost                     -    a worker's version is another worker's by now
"""

from http import HTTPStatus

from mlplatform.foundation.errors import Problem


class RegistryProblem(Problem):
    """Base of the registry's errors."""


class ModelNotFound(RegistryProblem):
    status = HTTPStatus.NOT_FOUND
    code = "model_not_found"
    title = "No such model"


class VersionNotFound(RegistryProblem):
    status = HTTPStatus.NOT_FOUND
    code = "version_not_found"
    title = "No such version"


class NothingServes(RegistryProblem):
    status = HTTPStatus.CONFLICT
    code = "nothing_serves"
    title = "The model has no version that answers yet"


class VersionNotReady(RegistryProblem):
    status = HTTPStatus.CONFLICT
    code = "version_not_ready"
    title = "The version is not ready"


class VersionInUse(RegistryProblem):
    status = HTTPStatus.CONFLICT
    code = "version_in_use"
    title = "An alias points at the version"


class AnswersOtherwise(RegistryProblem):
    status = HTTPStatus.CONFLICT
    code = "answers_otherwise"
    title = "The version answers otherwise than when it was admitted"


class GoldenUnanswered(RegistryProblem):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "golden_unanswered"
    title = "The version's golden example could not be asked"


class InvalidName(RegistryProblem):
    code = "invalid_name"
    title = "The model's name is not usable"


class ArtifactTooLarge(RegistryProblem):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "artifact_too_large"
    title = "The file is too large"


class EmptyArtifact(RegistryProblem):
    code = "artifact_empty"
    title = "The file is empty"


class SampleTooLarge(RegistryProblem):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "sample_too_large"
    title = "The sample is too large"


class ArtifactMissing(RegistryProblem):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "artifact_missing"
    title = "The model's file is not in the storage"


class ArtifactCorrupt(RegistryProblem):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "artifact_corrupt"
    title = "The model's file is damaged"


class StorageUnavailable(RegistryProblem):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "storage_unavailable"
    title = "The storage for models does not work"


class ClaimLost(Exception):
    """Told to nobody: whoever has the claim now says what becomes of the version."""
