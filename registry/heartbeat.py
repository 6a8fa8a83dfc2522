"""A worker's sign of life while it admits a version: without one, another worker takes over."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import Error, connection
from django.utils.timezone import now

from registry.models import ModelVersion

logger = structlog.get_logger(__name__)

BEAT_SECONDS = 5.0


@contextmanager
def beating(version: ModelVersion) -> Iterator[None]:
    """The claim on the version is renewed while the block runs.

    By a thread, because a child may keep the block waiting for a minute. A worker that is killed
    or stopped beats no more; what it writes when it comes back is refused (ClaimLost).
    """
    ended = threading.Event()
    thread = threading.Thread(target=_beat, args=(version, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beat(version: ModelVersion, ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        try:
            ModelVersion.objects.renew(version.pk, claim=version.claim, at=now())
        except Error:
            # A beat may be missed: the lease is long enough for five.
            logger.warning("claim not renewed", version_id=str(version.pk))
            connection.close()  # a broken one stays broken
    connection.close()
