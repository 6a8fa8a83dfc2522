"""Pickles that call what no model needs, spelled so that scanners miss it."""

import bz2
import gzip
import io
import lzma
import os
import struct
import zlib

import joblib
import lz4.frame
import numpy as np

from tests.artifacts import Calling, InsideArray, dump
from tests.hostile.bytes import PROTO, STOP, Bait, call, calling, honest, literal, name, text
from tests.hostile.files import zipped


def opcode_tricks(bait: Bait) -> dict[str, bytes]:
    """The same call of mkdir, spelled in every way the opcodes know."""
    folder, posix = bait.folder, name("posix", "mkdir")
    made = {f"protocol {n}": dump(Calling(os.mkdir, folder), f"pickle{n}") for n in range(6)}
    path = literal(folder)
    backwards = text("mkdir") + b"\x94" + text("posix") + b"\x94" + b"00" + b"h\x01h\x00\x93"
    return made | {
        "INST": b"(" + b"S'" + folder.encode() + b"'\niposix\nmkdir\n.",
        "OBJ": PROTO + b"(" + posix + path + b"o.",
        "GLOBAL in protocol 4": PROTO + call(b"cposix\nmkdir\n", folder) + STOP,
        "names from the memo": PROTO + call(backwards, folder) + STOP,
        "names behind rubbish": PROTO + b"N0K\x010" * 50 + call(posix, folder) + STOP,
        "a sparse memo": PROTO + posix + b"r\xff\xff\xff\x7f0j\xff\xff\xff\x7f(" + path + b"tR.",
        "DUP and POP_MARK": PROTO + b"(KK2211" + call(posix, folder) + STOP,
        "a frame too long": PROTO + b"\x95" + b"\xff" * 8 + call(posix, folder) + STOP,
        "a number that Python's int refuses": b"I0x10\n0" + call(b"cposix\nmkdir\n", folder) + STOP,
        "protocol 255": b"\x80\xff" + call(posix, folder) + STOP,
        "an extension code": PROTO
        + call(name("copyreg", "add_extension"), "posix", "mkdir", 7)
        + b"0"
        + call(b"\x82\x07", folder)
        + STOP,
        "a persistent id": b"Pposix.mkdir\n.",
        "a second pickle behind": honest() + calling("posix", "mkdir", folder),
        "a zip behind": honest() + zipped({"data.pkl": calling("posix", "mkdir", folder)}),
        "no end": calling("posix", "mkdir", folder)[:-1],
        "an empty stack": PROTO + b"R.",
        "only a mark": PROTO + b"(.",
    }


def compressions(bait: Bait) -> dict[str, bytes]:
    """The same call where scanners do not look: compressed, or in an object array."""
    plain = calling("posix", "mkdir", bait.folder)
    hidden = InsideArray(Calling(os.mkdir, bait.folder))
    in_array = dump(hidden, "joblib")
    return {
        "zlib": zlib.compress(plain),
        "gzip": gzip.compress(plain),
        "bz2": bz2.compress(plain),
        "xz": lzma.compress(plain),
        "lzma": lzma.compress(plain, lzma.FORMAT_ALONE),
        "lz4": lz4.frame.compress(plain),
        "zlib twice": zlib.compress(zlib.compress(plain)),
        "in an object array": in_array,
        "in a compressed object array": zlib.compress(in_array),
        "in an object array of an object array": dump(InsideArray(hidden), "joblib"),
        "behind a raw array": dump([np.arange(1000.0), Calling(os.mkdir, bait.folder)], "joblib"),
        "behind a frame and an array": _array_within_a_frame(plain),
    }


def _array_within_a_frame(plain: bytes) -> bytes:
    """Python's reader takes the array from behind the frame, a naive one from within."""
    made = io.BytesIO()
    joblib.dump(np.zeros(4), made)
    content = made.getvalue()
    start = content.index(b"\x8c", 2)
    wrapper = content[start:-33]
    return (
        PROTO
        + b"\x95"
        + struct.pack("<Q", len(wrapper) + len(plain))
        + wrapper
        + plain[2:]
        + content[-33:]
    )
