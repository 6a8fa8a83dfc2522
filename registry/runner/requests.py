"""What a control connection may ask: one JSON object a packet.

{"op": "status"}
{"op": "inspect", "deadline": seconds}          a private inspector
{"op": "fresh_host", "kind": "graph"}           a private host
{"op": "host", "kind": "graph", "key": "…"}     the host of this key, new or not
    … "child": number, "requests": count        and what was asked of the one it has
{"op": "permit", "child": number}               my turn to load a model into this child
{"op": "fate", "child": number}                 whether it lives, or how it ended
{"op": "kill", "child": number}                 … "because": "late" or "broken", when it is at fault
"""

from typing import Any

import orjson

HOST_KINDS = ("graph", "estimator")
MAX_KEY = 200
MAX_SECONDS = 3600.0


class BadRequest(Exception):
    """The message for the client says what is wrong with its request."""


def understood(message: bytes) -> dict[str, Any]:
    """The request, with every field checked. Raises BadRequest."""
    try:
        request = orjson.loads(message)
    except orjson.JSONDecodeError:
        raise BadRequest("not JSON") from None
    fields = FIELDS.get(str(request.get("op"))) if isinstance(request, dict) else None
    if fields is None:
        raise BadRequest("no such operation")
    for name, is_valid in fields.items():
        if not is_valid(request.get(name)):
            raise BadRequest(f"{name} is missing or wrong")
    for name, is_valid in OPTIONAL.items():
        if name in request and not is_valid(request[name]):
            raise BadRequest(f"{name} is wrong")
    return request


def _is_seconds(value: object) -> bool:
    return type(value) in (int, float) and 0 < value <= MAX_SECONDS


def _is_kind(value: object) -> bool:
    return value in HOST_KINDS


def _is_key(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_KEY


def _is_number(value: object) -> bool:
    return type(value) is int


def _is_count(value: object) -> bool:
    return _is_number(value) and value >= 0


def _is_fault(value: object) -> bool:
    return value in ("late", "broken")


FIELDS = {
    "status": {},
    "inspect": {"deadline": _is_seconds},
    "fresh_host": {"kind": _is_kind},
    "host": {"kind": _is_kind, "key": _is_key},
    "permit": {"child": _is_number},
    "fate": {"child": _is_number},
    "kill": {"child": _is_number},
}
OPTIONAL = {"child": _is_number, "requests": _is_count, "because": _is_fault}
