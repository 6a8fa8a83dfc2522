"""registry.artifacts: complete files, nothing half-written, and a storage that fails"""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.test import override_settings
from django.utils.timezone import now

from jobs.upkeep import sweep_incoming
from registry import admission, artifacts
from registry.errors import ArtifactCorrupt, ArtifactMissing, StorageUnavailable
from registry.models import ModelVersion, RegisteredModel
from tests.factories import make_version, uploaded_file


def incoming() -> list[Path]:
    folder = Path(default_storage.path("incoming"))
    return list(folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def broken_storage(tmp_path):
    """Its folder is a file: nothing can be written or read there."""
    (tmp_path / "storage").write_bytes(b"")
    default = {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "storage"}}
    with override_settings(STORAGES={**settings.STORAGES, "default": default}):
        yield


def test_it_works():
    digest = artifacts.save(ContentFile(b"some bytes of a model"))

    with artifacts.open_artifact(digest) as file:
        assert file.read() == b"some bytes of a model"
    assert incoming() == []


def test_a_write_that_is_cut_off_leaves_nothing():
    class Cut(ContentFile):
        """Read once for its digest; the second time it ends in the middle."""

        reads = 0

        def chunks(self, chunk_size=None):
            self.reads += 1
            yield b"first half"
            if self.reads == 2:
                raise ConnectionResetError("cut")
            yield b"second half"

    with pytest.raises(StorageUnavailable):
        artifacts.save(Cut(b"first halfsecond half"))

    assert incoming() == []
    assert not artifacts.is_stored(artifacts.digest_of([b"first half", b"second half"]))


def test_what_a_killed_process_left_is_swept(own_stores):
    folder = Path(default_storage.path("incoming"))
    folder.mkdir(parents=True, exist_ok=True)
    cache = Path(settings.ARTIFACT_CACHE_DIR)
    cache.mkdir(parents=True, exist_ok=True)
    stale = [folder / "killed", cache / f"{'a' * 64}.killed"]
    kept = [folder / "being-written", cache / ("b" * 64)]
    for path in (*stale, *kept):
        path.write_bytes(b"half")
    for path in (*stale, kept[1]):
        os.utime(path, (0, (now() - timedelta(hours=2)).timestamp()))

    assert sweep_incoming(at=now()) == 2

    assert [path.exists() for path in (*stale, *kept)] == [False, False, True, True]
    for path in kept:
        path.unlink()


def test_what_is_not_there_is_missing():
    with pytest.raises(ArtifactMissing, match="does not have 000000000000"):
        artifacts.open_artifact("0" * 64)


def test_other_bytes_are_never_handed_on():
    digest = artifacts.save(ContentFile(b"the bytes that were uploaded"))
    Path(default_storage.path(artifacts.name_of(digest))).write_bytes(b"others")

    with pytest.raises(ArtifactCorrupt):
        artifacts.open_artifact(digest)


def test_an_upload_to_a_broken_storage_is_told_and_kept_nowhere(
    alice, organization, client_of, broken_storage
):
    body = {"file": uploaded_file(b"a model of this test"), "name": "iris"}

    answer = client_of(alice).post("/api/v1/models/upload", body, format="multipart")

    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert answer["Retry-After"] == "30"
    assert not ModelVersion.objects.exists()
    assert not RegisteredModel.objects.exists()


def test_an_admission_waits_for_the_storage_and_says_at_which_step(alice, organization):
    version = make_version(organization, alice, content=b"bytes of a test with a broken storage")
    path = Path(default_storage.path(artifacts.name_of(version.digest)))
    path.unlink()
    path.mkdir()

    admission.admit(version.pk, at=now())

    version.refresh_from_db()
    assert (version.status, version.reason_code) == ("pending", "storage_unavailable")
    assert version.steps[1]["note"].startswith("The storage for models does not work")
    assert version.attempts == 0
    path.rmdir()


class RefusingBucket(FileSystemStorage):
    """A remote storage whose credentials have expired."""

    def path(self, name):
        raise NotImplementedError

    def _refuse(self, *arguments, **options):
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "no"}}, "HeadObject")

    exists = _open = _save = _refuse


@pytest.fixture
def refusing_bucket():
    default = {"BACKEND": f"{__name__}.RefusingBucket"}
    with override_settings(STORAGES={**settings.STORAGES, "default": default}):
        yield


def test_a_bucket_that_refuses_is_told(refusing_bucket, own_stores):
    with pytest.raises(StorageUnavailable):
        artifacts.save(ContentFile(b"x"))
    with pytest.raises(StorageUnavailable):
        artifacts.open_artifact("1" * 64)
    with pytest.raises(StorageUnavailable):
        artifacts.is_stored("1" * 64)

    assert list(Path(settings.ARTIFACT_CACHE_DIR).glob("1*")) == []
