"""Where a compressed file begins: as much as tells what is inside, never the whole."""

import bz2
import lzma
import zlib
from collections.abc import Callable

BEGINNING = 1 << 16
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


def beginning(content: bytes) -> bytes:
    """The first bytes of what joblib may have compressed, or of `content` itself.

    Empty where they cannot be decompressed.
    """
    for magics, decompress in DECOMPRESSORS:
        if content.startswith(magics):
            try:
                return decompress(content[: 4 * BEGINNING])
            except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError):
                return b""
    return content


def is_compressed(content: bytes) -> bool:
    return any(content.startswith(magics) for magics, _ in DECOMPRESSORS)


def _zlib(content: bytes) -> bytes:
    return zlib.decompressobj(GZIP_OR_ZLIB).decompress(content, BEGINNING)


def _bz2(content: bytes) -> bytes:
    return bz2.BZ2Decompressor().decompress(content, BEGINNING)


def _lzma(content: bytes) -> bytes:
    return lzma.LZMADecompressor().decompress(content, BEGINNING)


def _lz4(content: bytes) -> bytes:
    import lz4.frame

    return lz4.frame.LZ4FrameDecompressor().decompress(content, BEGINNING)


DECOMPRESSORS: list[tuple[tuple[bytes, ...], Callable[[bytes], bytes]]] = [
    ((b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), _zlib),
    ((b"BZh",), _bz2),
    ((b"\xfd7zXZ", b"\x5d\x00\x00"), _lzma),
    ((b"\x04\x22\x4d\x18",), _lz4),
]
