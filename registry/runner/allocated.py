"""How much this process has allocated, without asking the kernel, which a child may not."""

import ctypes
import sys

# What Python's allocator hands out below the C library's sight: blocks of 16 to 512 bytes.
BLOCK = 64


class _MallInfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd",
            "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def _found() -> ctypes._CFuncPtr | None:
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)  # glibc 2.33
    if mallinfo is not None:
        mallinfo.restype = _MallInfo
    return mallinfo


_mallinfo = _found()


def allocated_bytes() -> int | None:
    """Bytes in use, C and Python; None where the C library does not tell."""
    if _mallinfo is None:
        return None
    told = _mallinfo()
    return told.uordblks + told.hblkhd + BLOCK * sys.getallocatedblocks()
