"""Bytes in storage, named by their SHA-256: the same name is always the same bytes."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from mlplatform.foundation.uuid7 import uuid7
from registry.errors import ArtifactCorrupt, ArtifactMissing

_CHUNK = 1 << 20


def name_of(digest: str) -> str:
    return f"artifacts/{digest[:2]}/{digest}"


def digest_of(chunks: Iterable[bytes]) -> str:
    """SHA-256 in hex."""
    running = hashlib.sha256()
    for chunk in chunks:
        running.update(chunk)
    return running.hexdigest()


def save(file: File) -> str:
    """Store the file unless these bytes are there already. Returns their digest."""
    digest = digest_of(file.chunks(_CHUNK))
    file.seek(0)
    name = name_of(digest)
    if not default_storage.exists(name):
        _save_whole(file, name)
    return digest


def save_bytes(content: bytes) -> str:
    return save(ContentFile(content))


def is_stored(digest: str) -> bool:
    return default_storage.exists(name_of(digest))


def _save_whole(file: File, name: str) -> None:
    """A file with a digest for a name is complete: it appears in one step or not at all."""
    if _local_path(name) is None:  # an S3 PUT is one step
        default_storage.save(name, file)
        return
    incoming = _local_path(default_storage.save(f"incoming/{uuid7()}", file))
    target = _local_path(name)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with incoming.open("rb") as written:
        os.fsync(written.fileno())
    incoming.replace(target)


def open_artifact(digest: str) -> BinaryIO:
    """The bytes as a local file open for reading, verified.

    Raises ArtifactMissing, or ArtifactCorrupt when the storage gave back
    other bytes: those are never handed on.
    """
    name = name_of(digest)
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
    except FileNotFoundError as error:
        incoming.unlink(missing_ok=True)
        raise _missing(digest) from error
    incoming.replace(target)
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
