"""How long a request says its body is."""

from collections.abc import Mapping
from typing import Any


def stated(meta: Mapping[str, Any]) -> int:
    """Content-Length as Django reads it, which reads no byte more: "1_000" and "+5" count too."""
    try:
        return int(meta.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
