"""Getting a model into its host, and finding out there whether it answers as it did.

The model goes in under a name that nobody asks for, and gets its own when it has answered
its golden examples as at its admission.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from inference.errors import ModelChanged
from registry import parity
from registry.artifacts import open_artifact
from registry.rows import Rows
from registry.sandbox import Host
from registry.sandbox_errors import ModelRaised, NotLoaded
from registry.serving import Served
from registry.signature import InvalidRows

logger = structlog.get_logger(__name__)

ON_TRIAL = ":trial"
KEPT_OUT_SECONDS = 60.0

# One lock a digest that this process has loaded.
_loading: dict[str, threading.Lock] = {}
# Until when nobody tries again what did not answer as it did, by version and digest: others'
# versions of the same bytes have golden examples of their own.
_kept_out: dict[tuple[UUID, str], float] = {}


def loaded_and(ask: Callable[[], Any], host: Host, served: Served) -> Any:
    """Have the host hold the model, and ask.

    Of many first requests one reads the model's file, and of many processes one at a time;
    the others find it loaded. Raises ModelChanged, and what `Host.load` and `open_artifact`
    raise.
    """
    _refuse_kept_out(served)
    with (
        _loading.setdefault(served.served_digest, threading.Lock()),
        host.turn_to_load(timeout=settings.LOAD_DEADLINE_SECONDS),
    ):
        try:
            return ask()
        except NotLoaded:
            _load(host, served)
    return ask()


def _load(host: Host, served: Served) -> None:
    trial, deadline = served.served_digest + ON_TRIAL, settings.LOAD_DEADLINE_SECONDS
    signature = served.signature.to_json()
    with open_artifact(served.served_digest) as file:
        host.load(trial, file.fileno(), fmt=served.fmt, signature=signature, deadline=deadline)
    if _answers_as_it_did(host, trial, served):
        host.rename(trial, served.served_digest, deadline=deadline)
        return
    host.rename(trial, None, deadline=deadline)
    _kept_out[_key(served)] = monotonic() + KEPT_OUT_SECONDS
    logger.error(
        "model changed",
        version_id=str(served.version_id),
        model=served.model_name,
        version=served.version_number,
    )
    _refuse_kept_out(served)


def _refuse_kept_out(served: Served) -> None:
    until = _kept_out.get(_key(served), 0.0)
    if until > monotonic():
        raise ModelChanged(
            f"Version {served.version_number} does not answer its golden example as it did when "
            "it was admitted: a library has changed, or the model is not deterministic. "
            "Promote another version, or upload it anew.",
            retry_after=int(KEPT_OUT_SECONDS),
        )
    _kept_out.pop(_key(served), None)


def _key(served: Served) -> tuple[UUID, str]:
    return served.version_id, served.served_digest


def _answers_as_it_did(host: Host, name: str, served: Served) -> bool:
    """True too where nothing is known: versions of before golden examples were kept."""
    rows = _golden_rows(served)
    if rows is None:
        return True
    try:
        outputs = host.predict(
            name, rows, served.signature.methods, deadline=settings.PREDICT_DEADLINE_SECONDS
        )
    except ModelRaised:
        return False
    return parity.matches(served.golden, outputs)


def _golden_rows(served: Served) -> Rows | None:
    instances: list[Any] = [one["input"] for one in parity.examples(served.golden)]
    pointers = [f"/{number}" for number in range(len(instances))]
    try:
        return served.signature.to_rows(instances, pointers=pointers) if instances else None
    except InvalidRows:
        # Ours to mend, and no sign of a model that changed.
        logger.exception("golden example unusable", version_id=str(served.version_id))
        return None
