"""The body of a predict request: strict JSON in one of three shapes, or CSV; within limits."""

import re
import zlib
from dataclasses import replace
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import ParseError

from inference.api import tables
from inference.api.shapes import Asked, check_count
from inference.errors import RequestTooLarge, UnknownEncoding, UnknownShape
from mlplatform.foundation import body_length
from registry.signature import Signature

# What may be said beside the rows.
OPTIONS = {"top_k"}
_NOT_JSON = re.compile(r"nan|infinity", re.IGNORECASE)


def read(request: HttpRequest) -> bytes:
    """The body, unpacked. Raises RequestTooLarge before reading it, or UnknownEncoding."""
    length = body_length.stated(request.META)
    if length > settings.MAX_PREDICT_BYTES:
        raise _too_large(f"has {length} bytes")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "gzip":
        return _unpacked(request.body)
    if encoding != "identity":
        raise UnknownEncoding(f"{encoding[:40]!r} is not read here: send gzip or none.")
    return request.body


def _unpacked(body: bytes) -> bytes:
    """Never more than is read of a plain body: a few bytes can unpack to gigabytes."""
    limit = settings.MAX_PREDICT_BYTES
    stream = zlib.decompressobj(wbits=31)  # gzip's frame
    try:
        content = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise ParseError(f"The body is not valid gzip: {error}.") from error
    if len(content) > limit:
        raise _too_large(f"unpacks to more than {limit} bytes")
    if not stream.eof or stream.unused_data:
        raise ParseError("The body is not one whole gzip stream.")
    return content


def _too_large(what: str) -> RequestTooLarge:
    limit = settings.MAX_PREDICT_BYTES
    detail = f"The request {what}; at most {limit} are read. Split it into several requests."
    return RequestTooLarge(detail, limit=limit)


def parse(body: bytes, signature: Signature, *, content_type: str = "") -> Asked:
    """Raises ParseError, UnknownShape or TooManyRows."""
    if is_csv(content_type):
        return tables.of_csv(body, signature)
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not valid JSON: {error}.{_advice(body, error)}") from error
    match asked:
        case {"input": dict() | list() as row, **rest} if rest.keys() <= OPTIONS:
            return Asked([row], ["/input"], is_single=True, top_k=_top_k(rest))
        case {"inputs": [_, *_] as rows, **rest} if rest.keys() <= OPTIONS:
            check_count(len(rows))
            pointers = [f"/inputs/{i}" for i in range(len(rows))]
            return Asked(rows, pointers, is_single=False, top_k=_top_k(rest))
        case {"columns": dict() as columns, **rest} if rest.keys() <= OPTIONS:
            return replace(tables.of_columns(columns), top_k=_top_k(rest))
    raise _unknown_shape(signature)


def is_csv(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "text/csv"


def _top_k(options: dict[str, Any]) -> int | None:
    wanted = options.get("top_k")
    if wanted is None or (type(wanted) is int and wanted > 0):
        return wanted
    raise UnknownShape("top_k says how many of the likeliest classes to tell: a number from 1 up.")


def _advice(body: bytes, error: orjson.JSONDecodeError) -> str:
    """Python writes NaN and Infinity into what it calls JSON; nobody else reads them."""
    text = body.decode(errors="replace")[max(error.pos - 1, 0) : error.pos + 9]
    if not _NOT_JSON.search(text):
        return ""
    return " JSON has neither NaN nor Infinity: send null for a missing value."


def _unknown_shape(signature: Signature) -> UnknownShape:
    example = signature.example()
    return UnknownShape(
        'Expected {"input": one row}, {"inputs": [rows]} or {"columns": {name: [values]}}, a row '
        "being an object of named values or a list in the order of the columns; here "
        f"{_json({'input': example})} or {_json({'inputs': [list(example.values())]})}.",
        example={"input": example},
    )


def _json(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 500 else text[:500] + "…"
