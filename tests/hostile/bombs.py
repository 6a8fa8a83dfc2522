"""Little to upload, much to open; and what never ends."""

import bz2
import gzip
import io
import lzma
import struct
import zlib
from collections.abc import Callable
from functools import partial

import joblib
import lz4.frame
import numpy as np

from tests.hostile.bytes import PROTO, STOP, Bait, call, calling, literal, name
from tests.hostile.programs import estimator, running


def bombs(bait: Bait) -> dict[str, bytes]:
    """Little to upload, much to open."""
    return {
        "an array of 10^13": _array((10**13,)),
        "an array of 2^62": _array((2**31, 2**31)),
        "an array of negative length": _array((-5,)),
        "np.zeros of 10^13": calling("numpy", "zeros", 10**13),
        "np.ndarray of 10^13": calling("numpy", "ndarray", (10**13,)),
        "a buffer of 10^13": calling("builtins", "bytearray", 10**13),
        "bytes times 2^40": calling("operator", "mul", b"C\x01x", 2**40),
        "endless into a list": PROTO
        + call(name("builtins", "list"), call(name("itertools", "repeat"), 1))
        + STOP,
        "a list of 2^60": PROTO
        + call(name("builtins", "list"), call(name("builtins", "range"), 2**60))
        + STOP,
        "a text of 2^62": PROTO + b"\x8d" + struct.pack("<Q", 2**62) + b"x.",
        "bytes of 2^31": PROTO + b"B" + struct.pack("<I", 2**31) + b"x.",
        "a memo of 2^31": PROTO + b"Nr\xff\xff\xff\x7f.",
        "tuples of tuples": PROTO + b"N" + b"\x85" * 1_000_000 + STOP,
        "lists of lists": PROTO + b"]" * 500_000 + b"a" * 499_999 + STOP,
        "reduces of reduces": PROTO + _nested_calls(100_000) + STOP,
        "a laughing memo": PROTO + b"]" + b"\x94(h\x00h\x00h\x00h\x00e" * 100_000 + STOP,
        "a number of ten million digits": b"I" + b"9" * 10_000_000 + b"\n.",
        "a sparse matrix of 2^60": _sparse(),
        "an object array of 2^60": PROTO + call(name("numpy", "empty"), 2**60, "O") + STOP,
        "a zlib bomb": _zlib_bomb(),
        "a gzip bomb": _bomb(gzip.compress),
        "a bz2 bomb": _bomb(bz2.compress),
        "an xz bomb": _bomb(partial(lzma.compress, preset=0)),
        "an lz4 bomb": _lz4_bomb(),
        "an xz dictionary of 4 GiB": lzma.compress(b"", lzma.FORMAT_ALONE)[:1]
        + b"\x00" * 3
        + b"\xff"
        + b"\xff" * 8
        + b"x",
    }


def _array(shape: tuple[int, ...]) -> bytes:
    made = io.BytesIO()
    joblib.dump(np.zeros(7), made)
    content = made.getvalue()
    assert content[2:3] == b"\x95"
    assert content.count(b"K\x07\x85") == 1
    written = b"".join(literal(one) for one in shape)
    return PROTO + content[11:].replace(b"K\x07\x85", b"(" + written + b"t")


def _nested_calls(count: int) -> bytes:
    return name("builtins", "list") + b"\x94" + b"h\x00" * count + b")R" + b"\x85R" * count


def _sparse() -> bytes:
    shape = (2**30, 2**30)
    return (
        PROTO
        + call(name("numpy", "asarray"), call(name("scipy.sparse", "csr_matrix"), shape))
        + STOP
    )


HEAD = PROTO + b"]\x94"  # enough to be told for a pickle


def _bomb(compress: Callable[[bytes], bytes]) -> bytes:
    return compress(HEAD) + compress(bytes(64 << 20)) * 24


def _zlib_bomb() -> bytes:
    made = zlib.compressobj(9)
    head = made.compress(HEAD) + made.flush(zlib.Z_FULL_FLUSH)
    block = made.compress(bytes(16 << 20)) + made.flush(zlib.Z_FULL_FLUSH)
    return head + block * 96 + made.flush()


def _lz4_bomb() -> bytes:
    made = lz4.frame.LZ4FrameCompressor()
    parts = [
        made.begin(),
        made.compress(HEAD),
        *(made.compress(bytes(64 << 20)) for _ in range(24)),
        made.flush(),
    ]
    return b"".join(parts)


def endless(bait: Bait) -> dict[str, bytes]:
    """What only a deadline ends."""
    ignoring = "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
    return {
        "2^40 hash steps": PROTO + _hash_bomb(40) + STOP,
        "10^(10^9)": calling("builtins", "pow", 10, 10**9),
        "a regular expression": calling("re", "fullmatch", "(a+)+b", "a" * 64),
        "a loop": running("while True: pass"),
        "a loop without signals": running(ignoring + "while True: pass"),
        "sleep": running("import time\ntime.sleep(3600)"),
        "waiting for a descriptor": running("import select\nselect.select([3], [], [])"),
        "a loop that swallows all": running(
            "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
        ),
        "a loop in __del__": estimator("def __del__(self):\n    while True: pass\n"),
        "a loop in predict": estimator("def predict(self, rows):\n    while True: pass"),
        "a loop in __getattr__": estimator("def __getattr__(self, name):\n    while True: pass"),
        "a lock nobody opens": running(
            "import _thread\nlock = _thread.allocate_lock()\nlock.acquire()\nlock.acquire()"
        ),
    }


def _hash_bomb(depth: int) -> bytes:
    """A set of a tuple of twice the same tuple, and so on: a hash is remembered by no tuple."""
    made = b"N\x85\x940"
    for level in range(depth):
        made += b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86\x940"
    return made + b"\x8f(h" + bytes([depth]) + b"\x90"
