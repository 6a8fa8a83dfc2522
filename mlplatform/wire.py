"""JSON on the wire, by orjson. Apart from `api`, which needs DRF's views, which need this."""

from typing import Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer


class JSONRenderer(BaseRenderer):
    """orjson: NaN becomes null, as JSON knows no NaN."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else to_json(data)


def to_json(data: Any) -> bytes:
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z
    try:
        return orjson.dumps(data, option=options, default=str)
    except TypeError:
        return orjson.dumps(_narrowed(data), option=options, default=str)


def _narrowed(data: Any) -> Any:
    """With floats for integers of more than 64 bits: PostgreSQL gives 1e20 back as one."""
    if isinstance(data, dict):
        return {name: _narrowed(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_narrowed(value) for value in data]
    is_wide = type(data) is int and not -(2**63) <= data < 2**64
    return float(data) if is_wide else data


class JSONParser(BaseParser):
    """orjson: refuses NaN, Infinity, lone surrogates and endless nesting."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return loads(stream.read())


def loads(body: bytes) -> Any:
    """Strict JSON. Raises ParseError, which is answered with 400."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not valid JSON: {error}.") from error
