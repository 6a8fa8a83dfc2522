"""Reading the arguments of pickle's opcodes, as leniently as the most lenient machine."""

import codecs
from typing import Any

from registry.runner.pickle_values import UNKNOWN, Lost

KEPT_TEXT = 200


class Reader:
    """Bytes from `at` on. Everything raises Lost where they are not enough."""

    def __init__(self, stream: bytes, at: int) -> None:
        self.at = at
        self._stream = stream

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self._stream):
            raise Lost
        taken = self._stream[self.at : end]
        self.at = end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def line(self) -> bytes:
        end = self._stream.find(b"\n", self.at)
        if end < 0:
            raise Lost
        line = self._stream[self.at : end]
        self.at = end + 1
        return line

    def counted(self, size: int) -> bytes:
        return self.take(self.number(size))


def text(content: bytes) -> str:
    return content[:KEPT_TEXT].decode("utf-8", "replace")


def quoted(line: bytes) -> Any:
    inner = line.strip()[1:-1]
    if len(inner) > KEPT_TEXT:
        return UNKNOWN
    try:
        return codecs.escape_decode(inner)[0].decode("latin-1")
    except ValueError:
        return UNKNOWN


def raw_text(line: bytes) -> Any:
    return line.decode("raw-unicode-escape", "replace") if len(line) <= KEPT_TEXT else UNKNOWN


def whole(line: bytes) -> Any:
    """As C's strtol with base 0 reads it, which takes more than Python's int does."""
    try:
        return int(line.strip().rstrip(b"L")[:30], 0)
    except ValueError:
        return UNKNOWN


def index(line: bytes) -> int:
    value = whole(line)
    return value if isinstance(value, int) else -1
