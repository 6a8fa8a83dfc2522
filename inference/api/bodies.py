"""The body of a predict request: strict JSON in one of three shapes, within limits."""

import re
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import ParseError

from inference.errors import RequestTooLarge, TooManyRows, UnknownShape
from mlplatform.foundation import body_length
from registry.signature import Signature

_NOT_JSON = re.compile(r"nan|infinity", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """The rows asked about, where each is in the request, and whether it was asked for alone."""

    instances: list[Any]
    pointers: list[str]
    is_single: bool


def read(request: HttpRequest) -> bytes:
    """The body. Raises RequestTooLarge before reading it."""
    length = body_length.stated(request.META)
    if length > settings.MAX_PREDICT_BYTES:
        raise RequestTooLarge(
            f"The request has {length} bytes; at most {settings.MAX_PREDICT_BYTES} are read. "
            "Split it into several requests.",
            limit=settings.MAX_PREDICT_BYTES,
        )
    return request.body


def parse(body: bytes, signature: Signature) -> Asked:
    """Raises ParseError, UnknownShape or TooManyRows."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not valid JSON: {error}.{_advice(body, error)}") from error
    match asked:
        case {"input": dict() | list() as row, **rest} if not rest:
            return Asked([row], ["/input"], is_single=True)
        case {"inputs": [_, *_] as rows, **rest} if not rest:
            _check_count(len(rows))
            return Asked(rows, [f"/inputs/{i}" for i in range(len(rows))], is_single=False)
    raise _unknown_shape(signature)


def _advice(body: bytes, error: orjson.JSONDecodeError) -> str:
    """Python writes NaN and Infinity into what it calls JSON; nobody else reads them."""
    text = body.decode(errors="replace")[max(error.pos - 1, 0) : error.pos + 9]
    if not _NOT_JSON.search(text):
        return ""
    return " JSON has neither NaN nor Infinity: send null for a missing value."


def _check_count(rows: int) -> None:
    if rows > settings.MAX_PREDICT_ROWS:
        raise TooManyRows(
            f"The request has {rows} rows; at most {settings.MAX_PREDICT_ROWS} are answered at "
            "once. Split it into several requests.",
            limit=settings.MAX_PREDICT_ROWS,
        )


def _unknown_shape(signature: Signature) -> UnknownShape:
    example = signature.example()
    return UnknownShape(
        'Expected {"input": one row} or {"inputs": [rows]}, a row being an object of named '
        f"values or a list in the order of the columns; here {_json({'input': example})} "
        f"or {_json({'inputs': [list(example.values())]})}.",
        example={"input": example},
    )


def _json(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 500 else text[:500] + "…"
