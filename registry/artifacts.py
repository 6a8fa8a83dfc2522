"""Bytes in storage, named by their SHA-256: the same name is always the same bytes."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from mlplatform.foundation.uuid7 import uuid7
from registry.errors import ArtifactCorrupt, ArtifactMissing, StorageUnavailable

_CHUNK = 1 << 20
_INCOMING = "incoming"


def name_of(digest: str) -> str:
    return f"artifacts/{digest[:2]}/{digest}"


def digest_of(chunks: Iterable[bytes]) -> str:
    """SHA-256 in hex."""
    running = hashlib.sha256()
    for chunk in chunks:
        running.update(chunk)
    return running.hexdigest()


def save(file: File) -> str:
    """Store the file unless these bytes are there already. Returns their digest.

    Raises StorageUnavailable; then nothing of it is left.
    """
    digest = digest_of(file.chunks(_CHUNK))
    file.seek(0)
    name = name_of(digest)
    with _failures_told():
        if not default_storage.exists(name):
            _save_whole(file, name)
    return digest


def save_bytes(content: bytes) -> str:
    return save(ContentFile(content))


def is_stored(digest: str) -> bool:
    """Raises StorageUnavailable."""
    with _failures_told():
        return default_storage.exists(name_of(digest))


def _save_whole(file: File, name: str) -> None:
    """A file with a digest for a name is complete: it appears in one step or not at all."""
    if _local_path(name) is None:  # an S3 PUT is one step
        default_storage.save(name, file)
        return
    incoming = _local_path(f"{_INCOMING}/{uuid7()}")
    try:
        default_storage.save(f"{_INCOMING}/{incoming.name}", file)
        with incoming.open("rb") as written:
            os.fsync(written.fileno())
        target = _local_path(name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        incoming.replace(target)
    except BaseException:
        incoming.unlink(missing_ok=True)
        raise


def sweep_incoming(*, before: datetime) -> int:
    """Remove what a killed process had begun to write before this time. Returns how many files."""
    stale = [path for path in _begun() if path.stat().st_mtime < before.timestamp()]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def _begun() -> Iterator[Path]:
    folder = _local_path(_INCOMING)
    if folder is not None and folder.is_dir():
        yield from folder.iterdir()
    yield from Path(settings.ARTIFACT_CACHE_DIR).glob("*.*")


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except (OSError, BotoCoreError, ClientError) as error:
        raise StorageUnavailable(
            "The storage for models does not work; try again in a while. An operator sees in the "
            "log why.",
            retry_after=30,
        ) from error


def open_artifact(digest: str) -> BinaryIO:
    """The bytes as a local file open for reading, verified.

    Raises ArtifactMissing, StorageUnavailable, or ArtifactCorrupt when the storage
    gave back other bytes: those are never handed on.
    """
    name = name_of(digest)
    with _failures_told():
        path = _local_path(name) or _fetched(digest, name)
        try:
            file = path.open("rb")
        except FileNotFoundError as error:
            raise _missing(digest) from error
        if digest_of(iter(lambda: file.read(_CHUNK), b"")) != digest:
            file.close()
            raise ArtifactCorrupt(f"The stored bytes of {digest[:12]}… are not what was uploaded.")
        file.seek(0)
    return file


def _local_path(name: str) -> Path | None:
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:  # a storage that is not a file system
        return None


def _fetched(digest: str, name: str) -> Path:
    """A local copy of a remote artifact; many processes may fetch it at once."""
    target = Path(settings.ARTIFACT_CACHE_DIR) / digest
    if target.exists():
        return target
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    incoming = target.with_name(f"{digest}.{uuid7()}")
    try:
        with default_storage.open(name) as remote, incoming.open("wb") as local:
            local.writelines(remote.chunks(_CHUNK))
        incoming.replace(target)
    except FileNotFoundError as error:
        raise _missing(digest) from error
    finally:
        incoming.unlink(missing_ok=True)
    return target


def _missing(digest: str) -> ArtifactMissing:
    return ArtifactMissing(
        f"The storage does not have {digest[:12]}…; an operator must restore it."
    )


@contextmanager
def as_descriptor(content: bytes) -> Iterator[BinaryIO]:
    """Bytes as an open file without a name, for handing to a child."""
    with os.fdopen(os.memfd_create("artifact", os.MFD_CLOEXEC), "w+b") as file:
        file.write(content)
        file.seek(0)
        yield file
