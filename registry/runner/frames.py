"""What travels between the trusted side and a sandboxed child.

A frame is two 32-bit lengths, a JSON header and a body of raw little-endian
tensors, back to back. Never pickle. Both sides read with the same caps, since
either may be lied to: a child by a broken client, the trusted side by a model.

Standard library, numpy and orjson only: the web process imports this.
"""

import select
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
import orjson

from registry.rows import Block, Rows

MAX_HEADER = 16 << 20
MAX_BODY = 256 << 20
MAX_WIDTH = 100_000  # columns of an input or an output
MAX_OUTPUTS = 1_000  # of a multi-output model
CHUNK = 256 << 10
MAX_PIECES = 512  # of one vectored write; the kernel takes 1024

PREFIX = struct.Struct("!II")
DTYPES = {"float64": np.dtype("<f8"), "int64": np.dtype("<i8"), "bool": np.dtype("u1")}

Output = np.ndarray | list[Any]
Buffer = bytes | bytearray | memoryview


class FrameError(Exception):
    """The exchange cannot go on; the connection is of no further use."""


class Malformed(FrameError):
    """The other side sent something that is no frame, or not the one asked for."""


class TooLarge(FrameError):
    """We ourselves were asked to send more than a frame may hold."""


class TimedOut(FrameError):
    """The deadline passed."""


class Closed(FrameError):
    """The other side is gone; `unread` when it surely never saw what we sent last."""

    def __init__(self, *, unread: bool) -> None:
        super().__init__("the connection is closed")
        self.unread = unread


@dataclass
class Frame:
    header: dict[str, Any]
    body: memoryview


class Incoming:
    """The bytes of one connection on their way to becoming one frame."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._total = 0

    def feed(self, chunk: bytes) -> None:
        self._bytes += chunk

    def take(self) -> Frame | None:
        """The frame when it is complete, and the buffer is empty again. Raises Malformed."""
        have = len(self._bytes)
        if have < PREFIX.size:
            return None
        header_size, body_size = PREFIX.unpack_from(self._bytes)
        if header_size > MAX_HEADER or body_size > MAX_BODY:
            raise Malformed("the frame is too large")
        start = PREFIX.size + header_size
        if have < start + body_size:
            return None
        if have > start + body_size:
            raise Malformed("more than one frame at a time")
        whole, self._bytes = memoryview(self._bytes), bytearray()
        return Frame(_header(whole[PREFIX.size : start]), whole[start:])


def _header(text: memoryview) -> dict[str, Any]:
    try:
        header = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed("the header is not JSON") from error
    if not isinstance(header, dict):
        raise Malformed("the header is not an object")
    return header


def pack(header: Mapping[str, Any], buffers: Sequence[Buffer] = ()) -> list[Buffer]:
    """The pieces of a frame, ready for one vectored write. Raises TooLarge."""
    text = orjson.dumps(header, option=orjson.OPT_SERIALIZE_NUMPY)
    # Blanks up to a multiple of eight: the tensors behind are then aligned in memory.
    text += b" " * (-len(text) % 8)
    body_size = sum(len(buffer) for buffer in buffers)
    if len(text) > MAX_HEADER or body_size > MAX_BODY:
        raise TooLarge(f"{len(text) + body_size} bytes do not fit into a frame")
    return [PREFIX.pack(len(text), body_size) + text, *buffers]


def send(
    sock: socket.socket, pieces: list[Buffer], *, deadline: float, descriptor: int | None = None
) -> None:
    """Write a packed frame to a non-blocking socket before `deadline` (monotonic).

    A descriptor travels with the first byte. Raises TimedOut, Closed.
    """
    ancillary = []
    if descriptor is not None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))]
    while pieces:
        try:
            sent = sock.sendmsg(pieces[:MAX_PIECES], ancillary)
        except BlockingIOError:
            _wait(sock, select.POLLOUT, deadline)
        except OSError as error:
            raise Closed(unread=True) from error
        else:
            ancillary = []
            pieces = rest_of(pieces, sent)


def rest_of(pieces: list[Buffer], sent: int) -> list[Buffer]:
    """What is left of the pieces after `sent` bytes of them are gone."""
    for index, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[index + 1 :]]
        sent -= len(piece)
    return []


def receive(sock: socket.socket, *, deadline: float) -> Frame:
    """Read one frame from a non-blocking socket before `deadline` (monotonic).

    Raises TimedOut, Closed, Malformed.
    """
    incoming = Incoming()
    while True:
        _wait(sock, select.POLLIN, deadline)
        try:
            chunk = sock.recv(CHUNK)
        except BlockingIOError:
            continue
        except OSError as error:
            # The kernel resets a unix connection whose peer closed it with our bytes unread.
            raise Closed(unread=True) from error
        if not chunk:
            raise Closed(unread=False)
        incoming.feed(chunk)
        frame = incoming.take()
        if frame is not None:
            return frame


def check_quiet(sock: socket.socket) -> None:
    """Before a request: nothing may wait there yet.

    An early answer would pass for the answer to the next question. Raises Malformed, Closed.
    """
    try:
        early = sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return
    except OSError as error:
        raise Closed(unread=True) from error
    if early:
        raise Malformed("an answer that nobody asked for")
    raise Closed(unread=True)


def _wait(sock: socket.socket, event: int, deadline: float) -> None:
    left = deadline - monotonic()
    poll = select.poll()
    poll.register(sock, event)
    if left <= 0 or not poll.poll(left * 1000):
        raise TimedOut("no answer in time")


# Rows -------------------------------------------------------------------------------------------


def encode_rows(rows: Rows) -> tuple[list[dict[str, Any]], list[Buffer]]:
    """The blocks as header entries, and the float blocks' bytes."""
    entries: list[dict[str, Any]] = []
    buffers: list[Buffer] = []
    for block in rows.blocks:
        if isinstance(block, np.ndarray):
            matrix = np.ascontiguousarray(block, dtype="<f8")
            entries.append({"width": matrix.shape[1]})
            buffers.append(_bytes_of(matrix))
        else:
            entries.append({"strings": block})
    return entries, buffers


def decode_rows(entries: object, *, count: object, body: memoryview) -> Rows:
    """The inverse of encode_rows; the matrices are writable views of the body. Raises Malformed."""
    if not isinstance(entries, list) or not isinstance(count, int) or not 0 <= count <= MAX_BODY:
        raise Malformed("no rows")
    blocks: list[Block] = []
    offset = 0
    for entry in entries:
        if "strings" in entry:
            blocks.append(_strings(entry["strings"], count))
            continue
        width = entry.get("width")
        if not isinstance(width, int) or not 0 <= width <= MAX_WIDTH:
            raise Malformed("a block without a width")
        blocks.append(_tensor(body, offset, DTYPES["float64"], (count, width)))
        offset += count * width * 8
    if offset != len(body):
        raise Malformed("rows and bytes differ")
    return Rows(blocks=blocks, count=count)


def _strings(values: object, count: int) -> list[str | None]:
    if not isinstance(values, list) or len(values) != count:
        raise Malformed("a block of the wrong length")
    return values


# Outputs ----------------------------------------------------------------------------------------


def encode_outputs(outputs: Mapping[str, Output]) -> tuple[dict[str, Any], list[Buffer]]:
    """What a predictor answered as header entries, and the arrays' bytes."""
    buffers: list[Buffer] = []
    return {name: _encode(value, buffers) for name, value in outputs.items()}, buffers


def _encode(value: Output, buffers: list[Buffer]) -> dict[str, Any]:
    if isinstance(value, np.ndarray):
        return _encode_array(value, buffers)
    if value and isinstance(value[0], np.ndarray):
        return {"each": [_encode_array(array, buffers) for array in value]}
    return {"labels": value}


def _encode_array(array: np.ndarray, buffers: list[Buffer]) -> dict[str, Any]:
    dtype = {"f": "float64", "i": "int64", "u": "int64", "b": "bool"}.get(array.dtype.kind)
    if dtype is None:
        return {"labels": array.tolist()}
    array = np.ascontiguousarray(array, dtype=DTYPES[dtype])
    buffers.append(_bytes_of(array))
    return {"dtype": dtype, "shape": array.shape}


def decode_outputs(
    entries: object, *, body: memoryview, count: int, methods: Sequence[str]
) -> dict[str, Output]:
    """The outputs of `count` rows for exactly these methods. Raises Malformed for all else."""
    if not isinstance(entries, dict) or set(entries) != set(methods):
        raise Malformed("other outputs than were asked for")
    reader = _OutputReader(body, count)
    outputs = {name: reader.read(entry) for name, entry in entries.items()}
    if reader.offset != len(body):
        raise Malformed("outputs and bytes differ")
    return {name: outputs[name] for name in methods}


class _OutputReader:
    def __init__(self, body: memoryview, count: int) -> None:
        self.offset = 0
        self._body = body
        self._count = count

    def read(self, entry: object) -> Output:
        if not isinstance(entry, dict):
            raise Malformed("no output")
        if "labels" in entry:
            return self._labels(entry["labels"])
        if "each" not in entry:
            return self._array(entry)
        each = entry["each"]
        if not isinstance(each, list) or not 0 < len(each) <= MAX_OUTPUTS:
            raise Malformed("not a list of outputs")
        return [self._array(part) for part in each]

    def _array(self, entry: object) -> np.ndarray:
        if not isinstance(entry, dict):
            raise Malformed("no output")
        name, shape = entry.get("dtype"), entry.get("shape")
        dtype = DTYPES.get(name) if isinstance(name, str) else None
        if dtype is None or not self._is_shape(shape):
            raise Malformed("an output of another shape")
        array = _tensor(self._body, self.offset, dtype, tuple(shape))
        self.offset += array.nbytes
        # Any byte but 0 and 1 is no boolean to numpy: compare instead of casting.
        return array != 0 if entry["dtype"] == "bool" else array

    def _is_shape(self, shape: object) -> bool:
        return (
            isinstance(shape, list)
            and len(shape) in (1, 2)
            and all(type(size) is int and size >= 0 for size in shape)
            and shape[0] == self._count
            and (len(shape) == 1 or shape[1] <= MAX_WIDTH)
        )

    def _labels(self, labels: object) -> list[Any]:
        if not isinstance(labels, list) or len(labels) != self._count:
            raise Malformed("labels of the wrong length")
        width = len(labels[0]) if labels and isinstance(labels[0], list) else None
        if not all(_is_label(label, width) for label in labels):
            raise Malformed("labels of the wrong kind")
        return labels


def _is_label(label: object, width: int | None) -> bool:
    if width is None:
        return isinstance(label, str | int | float)
    return (
        isinstance(label, list)
        and len(label) == width <= MAX_OUTPUTS
        and all(_is_label(part, None) for part in label)
    )


def _tensor(body: memoryview, offset: int, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    size = 1
    for length in shape:  # Python's integers: numpy's product may wrap around
        size *= length
    if offset + size * dtype.itemsize > len(body):
        raise Malformed("fewer bytes than the shape says")
    return np.frombuffer(body, dtype=dtype, count=size, offset=offset).reshape(shape)


def _bytes_of(array: np.ndarray) -> Buffer:
    # memoryview.cast refuses a shape that holds a zero.
    return memoryview(array).cast("B") if array.size else b""
