"""From a file in a request to a version that waits for admission."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify

from accounts import audit
from accounts.models import Organization, User
from registry import artifacts
from registry.errors import ArtifactTooLarge, EmptyArtifact, InvalidName
from registry.models import ModelVersion, RegisteredModel, as_uuid
from registry.serving import find_model
from registry.steps import first_steps
from registry.tasks import request_admission
from registry.upload_limit import sample_too_large


def upload_version(
    *,
    organization: Organization,
    by: User,
    name: str,
    file: File,
    at: datetime,
    description: str = "",
    tags: Sequence[str] = (),
    declared_format: str = "auto",
    sample: File | None = None,
    expected: str = "",
) -> ModelVersion:
    """Store the artifact and add it to the model of this name as its next version.

    The model is created when there is none. The version is PENDING: it
    serves only after admission marks it READY. The file is not opened here;
    what its owner calls it (`declared_format`) is a hint, its bytes decide.
    `sample` is a table that it must take, `expected` the table's column with the right answers.
    Raises InvalidName, ArtifactTooLarge, EmptyArtifact or SampleTooLarge; ModelNotFound where
    the caller's key is restricted to other models.
    """
    slug = slug_of(name)
    if organization.only_models is not None:
        find_model(organization, slug)
    check_size(file.size)
    about_sample = _saved_sample(sample, expected) if sample else {}
    digest = artifacts.save(file)
    return _add_version(
        organization=organization,
        by=by,
        slug=slug,
        at=at,
        about={"description": description, "tags": list(tags)},
        artifact={
            "digest": digest,
            "size": file.size,
            "filename": (file.name or "")[:255],
            "declared_format": declared_format,
            **about_sample,
        },
    )


def slug_of(name: str) -> str:
    """The name as it stands in the endpoint's URL. Raises InvalidName."""
    slug = slugify(name)
    if not slug or len(slug) > 100:
        raise InvalidName("Name the model with 1 to 100 letters, digits, hyphens or underscores.")
    if as_uuid(slug) or slug in ("batch", "upload"):
        raise InvalidName(f"{slug!r} would be mistaken for something else in a URL; take another.")
    return slug


def check_size(size: int) -> None:
    """Raises ArtifactTooLarge or EmptyArtifact."""
    limit = settings.MAX_ARTIFACT_BYTES
    if size > limit:
        raise ArtifactTooLarge(
            f"The file has {size:,} bytes; at most {limit:,} are accepted. Save the model with "
            "joblib.dump(model, path, compress=3), or ask the operator to raise MAX_ARTIFACT_BYTES."
        )
    if size == 0:
        raise EmptyArtifact("The file has no bytes. Save the model again and upload that file.")


def _saved_sample(sample: File, expected: str) -> dict[str, object]:
    limit = settings.MAX_SAMPLE_BYTES
    if sample.size > limit:
        raise sample_too_large(sample.size, limit)
    if sample.size == 0:
        raise EmptyArtifact("The sample has no bytes. Save the table again and upload that file.")
    return {"sample_digest": artifacts.save(sample), "expected_column": expected}


@transaction.atomic
def _add_version(
    *,
    organization: Organization,
    by: User,
    slug: str,
    at: datetime,
    about: dict[str, object],
    artifact: dict[str, object],
) -> ModelVersion:
    model, created = _locked_model(
        organization, slug, {**about, "created_by": by, "created_at": at, "updated_at": at}
    )
    changes = {} if created else {name: value for name, value in about.items() if value}
    model.describe(at=at, **changes)
    newest = model.versions.aggregate(newest=Max("number"))["newest"] or 0
    version = model.versions.create(
        number=newest + 1, created_by=by, created_at=at, steps=first_steps(at=at), **artifact
    )
    audit.record(
        organization=organization,
        by=by,
        verb="version.uploaded",
        target=version,
        detail={"version": version.number, "model": slug, "digest": version.digest},
    )
    transaction.on_commit(partial(request_admission, version.pk))
    return version


def _locked_model(
    organization: Organization, slug: str, new: dict[str, object]
) -> tuple[RegisteredModel, bool]:
    """The model of this name, made when there is none, and whether it was.

    Its row is locked: two uploads at once must not take the same number.
    """
    live = RegisteredModel.objects.live()
    while True:
        model, created = live.get_or_create(organization=organization, name=slug, defaults=new)
        locked = live.select_for_update().filter(pk=model.pk).first()
        if locked is not None:
            return locked, created
        # Deleted meanwhile: its name is free, and this upload begins a new model.
