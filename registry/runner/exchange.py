"""A child's side of its connections: many clients, one thread, one request each at a time.

Whatever waits when the child is free is answered together. Under load it also gives those
it has just answered a moment to ask again: else two halves of the same crowd would take
turns, each half paying for a whole call of the model.

Reading is free of order: a client that drips its bytes holds up nobody, because
every connection has a buffer of its own and only complete requests are handed on.
"""

import os
import select
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from registry.runner import frames

MAX_DESCRIPTORS = 4
TURN = 64  # chunks read from one connection before the others have theirs
# How long those just answered are waited for: at most this share of what the answer took, less
# where that was in vain, and not at all where answers are quick or nobody else waits.
PATIENCE = 0.25
LEAST_PATIENCE = 1 / 64
QUICK_SECONDS = 0.001
ANCILLARY = socket.CMSG_SPACE(MAX_DESCRIPTORS * 4)


class Connection:
    """One client: its unread bytes, its request, what of the answer is not written yet."""

    def __init__(self, fd: int) -> None:
        # Family and type are given, for a child may not ask the kernel for them.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=fd)
        self.fd = fd
        self._incoming = frames.Incoming()
        self._descriptors: list[int] = []
        self._unsent: list[frames.Buffer] = []

    @property
    def wants(self) -> int:
        return select.POLLOUT if self._unsent else select.POLLIN

    def read(self) -> "Request | None":
        """The next request once it is whole. Raises FrameError or OSError: then close it."""
        for _ in range(TURN):
            try:
                chunk, ancillary, _, _ = self._socket.recvmsg(frames.CHUNK, ANCILLARY)
            except BlockingIOError:
                return None
            self._descriptors += descriptors_of(ancillary)
            if not chunk:
                raise frames.Closed(unread=False)
            self._incoming.feed(chunk)
            frame = self._incoming.take()
            if frame is not None:
                descriptors, self._descriptors = self._descriptors, []
                return Request(self, frame, descriptors)
        return None

    def write(self, pieces: list[frames.Buffer]) -> None:
        self._unsent += pieces
        self.flush()

    def flush(self) -> None:
        """Write what the kernel takes now. Raises OSError when the client is gone."""
        while self._unsent:
            try:
                sent = os.writev(self.fd, self._unsent[: frames.MAX_PIECES])
            except BlockingIOError:
                return
            self._unsent = frames.rest_of(self._unsent, sent)

    def close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
        self._socket.close()


class Request:
    """One question; `reply` or `fail` answers it, once."""

    def __init__(self, client: Connection, frame: frames.Frame, descriptors: list[int]) -> None:
        self.header = frame.header
        self.body = frame.body
        self.client = client
        self._descriptors = descriptors

    def take_descriptor(self) -> int | None:
        """The descriptor that came along; who takes it closes it."""
        return self._descriptors.pop() if self._descriptors else None

    def reply(self, header: Mapping[str, Any], buffers: Sequence[frames.Buffer] = ()) -> None:
        self.send(frames.pack(header, buffers))

    def send(self, pieces: list[frames.Buffer]) -> None:
        """The same for an answer that is packed already."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
        try:
            self.client.write(pieces)
        except OSError:
            pass  # the client is gone; its next read says so too, and closes it

    def fail(self, code: str, reason: str) -> None:
        sendable = reason[:1000].encode("utf-8", "replace").decode()
        self.reply({"error": {"code": code, "reason": sendable}})


Answerer = Callable[[list[Request]], None]


class Exchange:
    """Serves connections that arrive over the mailbox until there will be no more of them."""

    def __init__(self, mailbox: int, answer: Answerer) -> None:
        self._mailbox: socket.socket | None = socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=mailbox
        )
        self._answer = answer
        self._poll = select.poll()
        self._poll.register(mailbox, select.POLLIN)
        self._connections: dict[int, Connection] = {}
        self._answered: set[int] = set()
        self._seconds = 0.0  # that took
        self._patience = PATIENCE

    def run(self) -> None:
        """Answer whatever waits, all of it at once, until mailbox and connections are closed."""
        while self._mailbox or self._connections:
            requests = self._waiting(0)
            if requests:
                requests += self._returning({request.client.fd for request in requests})
            else:
                requests = self._waiting(None)
            if requests:
                started = monotonic()
                self._answer(requests)
                self._answered = {request.client.fd for request in requests}
                self._seconds = monotonic() - started
                self._look_again(requests)

    def _waiting(self, milliseconds: float | None) -> list[Request]:
        """The requests that are whole, once there is anything to read."""
        requests = []
        for fd, _ in self._poll.poll(milliseconds):
            connection = self._connections.get(fd)
            if connection is None:
                self._take_mail()
            elif request := self._attend(connection):
                requests.append(request)
        return requests

    def _returning(self, here: set[int]) -> list[Request]:
        """Requests of those just answered, as far as they come soon after the ones `here`."""
        expected = (self._answered & self._connections.keys()) - here
        if not expected or self._seconds < QUICK_SECONDS:
            return []
        until = monotonic() + self._patience * self._seconds
        requests: list[Request] = []
        while expected and (left := until - monotonic()) > 0:
            # select, for poll counts in whole milliseconds
            select.select([*expected], [], [], left)
            requests += self._waiting(0)
            expected &= self._connections.keys()
            expected -= {request.client.fd for request in requests}
        change = 2 if requests else 0.5
        self._patience = min(PATIENCE, max(LEAST_PATIENCE, self._patience * change))
        return requests

    def _take_mail(self) -> None:
        """One byte and one descriptor: a new client."""
        byte, ancillary, _, _ = self._mailbox.recvmsg(1, ANCILLARY)
        for fd in descriptors_of(ancillary):
            self._connections[fd] = Connection(fd)
            self._poll.register(fd, select.POLLIN)
        if not byte:
            self._poll.unregister(self._mailbox)
            self._mailbox.close()
            self._mailbox = None

    def _attend(self, connection: Connection) -> Request | None:
        try:
            if connection.wants == select.POLLOUT:
                connection.flush()
                self._poll.modify(connection.fd, connection.wants)
                return None
            return connection.read()
        except (frames.FrameError, OSError, MemoryError):
            self._drop(connection)
            return None

    def _look_again(self, requests: list[Request]) -> None:
        for request in requests:
            connection = request.client
            if connection.wants == select.POLLOUT:
                self._poll.modify(connection.fd, select.POLLOUT)

    def _drop(self, connection: Connection) -> None:
        self._poll.unregister(connection.fd)
        del self._connections[connection.fd]
        connection.close()


def descriptors_of(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors in what recvmsg gave along."""
    found: list[int] = []
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            whole = len(content) // 4
            found += struct.unpack(f"{whole}i", content[: whole * 4])
    return found
