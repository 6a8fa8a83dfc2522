"""The trusted side of the runner: the only way to a model.

What goes wrong is one of `registry.sandbox_errors`. What a child says is a stranger's word:
sizes are checked before reading, shapes against what was asked, texts are cut and cleaned.
Standard library, numpy and orjson only.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from time import monotonic, sleep
from typing import Any

import orjson

from registry.control import CONTROL_SECONDS, MAX_REPLY, Control, ask, given
from registry.plain_text import clean, clean_json, clean_labels
from registry.reports import Inspection, Unusable, inspection, scanned, table
from registry.rows import Rows
from registry.runner import frames
from registry.runner.frames import Output
from registry.sandbox_errors import (
    BadReply,
    ChildDied,
    ChildTimedOut,
    ModelRaised,
    ModelRefused,
    NotLoaded,
    RunnerUnavailable,
    SandboxError,
)

FATE_TRIES, FATE_PAUSE = 100, 0.01  # a child's connections close a moment before it is buried
GRACE_SECONDS = 1.0  # the runner's own deadline for a private child: only if ours did not come
MAX_CODE = 40


class Runner:
    """The runner at a socket. Thread-safe: every call has a control connection of its own."""

    def __init__(self, socket_path: str) -> None:
        self.path = socket_path
        self._control = Control(socket_path)

    def scan(self, artifact_fd: int, *, deadline: float) -> dict[str, Any]:
        """What an artifact is and would import, by a child that opens nothing of it.

        {"format": one of `registry.formats.FORMATS`, "imports": ["module.name"], "findings":
        [{"severity": "dangerous" or "unknown", "what", "at": offset or None, "detail"}]}.
        `deadline` is in seconds. Raises RunnerUnavailable, ModelRefused, ChildDied,
        ChildTimedOut or BadReply.
        """
        return self._ask_inspector({"op": "scan"}, artifact_fd, deadline, read=scanned)

    def inspect(self, artifact_fd: int, *, fmt: str, deadline: float) -> Inspection:
        """Open an artifact in a child of its own, which is gone afterwards.

        `deadline` is in seconds. Raises RunnerUnavailable, ModelRefused, ChildDied,
        ChildTimedOut or BadReply.
        """
        request = {"op": "inspect", "fmt": fmt}
        return self._ask_inspector(request, artifact_fd, deadline, read=inspection)

    def read_table(self, table_fd: int, *, deadline: float) -> dict[str, Any]:
        """The first rows of a CSV or Parquet file, read by a child that opens no model.

        {"columns": {name: values}, "rows": in the file, "read": of them (5,000 at most), "typed":
        whether values are more than the texts of a CSV, "dates": names of columns}. `deadline`
        is in seconds. Raises RunnerUnavailable, ModelRefused, ChildDied, ChildTimedOut or BadReply.
        """
        return self._ask_inspector({"op": "read_table"}, table_fd, deadline, read=table)

    def host(
        self,
        key: str,
        *,
        kind: str,
        instead_of: "Host | None" = None,
        timeout: float = CONTROL_SECONDS,
    ) -> "Host":
        """A connection to the host of this key; who asks alike shares the child.

        `instead_of` is the connection so far: it comes back where it will do, else it is
        closed. Raises RunnerUnavailable or Parked.
        """
        request = {"op": "host", "kind": kind, "key": key}
        if instead_of is not None:
            request |= {"child": instead_of.child, "requests": instead_of.requests}
        child, connection = self._control.given(request, timeout=timeout)
        if instead_of is not None and child == instead_of.child:
            instead_of.renew()
            return instead_of
        if instead_of is not None:
            instead_of.close()
        if connection is None:
            raise RunnerUnavailable("The sandboxed runner gave no connection.")
        return Host(self, child, connection)

    def fresh_host(self, *, kind: str) -> "Host":
        """A child for this Host alone, which ends with it. Raises RunnerUnavailable."""
        return self._private({"op": "fresh_host", "kind": kind})

    def status(self, *, timeout: float = 1.0) -> dict[str, Any]:
        """Children, memory, fences, libraries and uptime. Raises RunnerUnavailable."""
        return self._control.asked({"op": "status"}, timeout=timeout)

    def fate(self, child: int) -> dict[str, Any]:
        """{"alive": bool}, and how it ended where known: "doom" (ours) and "exit" (its own).

        Raises RunnerUnavailable.
        """
        return self._control.asked({"op": "fate", "child": child})

    def kill(self, child: int, *, because: str = "") -> None:
        """End this child; the others live on. Raises RunnerUnavailable."""
        request = {"op": "kill", "child": child}
        self._control.asked({**request, "because": because} if because else request)

    @contextmanager
    def turn_to_load(self, child: int, *, timeout: float) -> Iterator[None]:
        """Wait until this child may be given a model. Raises RunnerUnavailable."""
        with self._control.connected(timeout) as control:
            try:
                ask(control, {"op": "permit", "child": child})
            except RunnerUnavailable as error:
                reason = "Too many models are being loaded at once."
                raise RunnerUnavailable(reason, code="busy") from error
            yield

    def _ask_inspector(
        self,
        request: dict[str, Any],
        file: int,
        deadline: float,
        *,
        read: Callable[[frames.Frame], Any],
    ) -> Any:
        """One question about one file to a child of its own, and `read` its answer."""
        host = self._private({"op": "inspect", "deadline": deadline + GRACE_SECONDS})
        try:
            return read(host.ask(request, deadline=deadline, file=file))
        except Unusable as error:
            raise BadReply(str(error)) from error
        finally:
            host.close()

    def _private(self, request: dict[str, Any]) -> "Host":
        control = self._control.connect(CONTROL_SECONDS)
        try:
            child, connection = given(control, request)
        except BaseException:
            control.close()
            raise
        return Host(self, child, connection, control=control)


class Host:
    """One connection to a child: one exchange at a time, not thread-safe."""

    def __init__(
        self,
        runner: Runner,
        child: int,
        connection: socket.socket,
        *,
        control: socket.socket | None = None,
    ) -> None:
        connection.setblocking(False)
        self._runner = runner
        self.child = child
        self._connection = connection
        # A private child lives as long as this control connection.
        self._control = control
        self.renew()

    def renew(self) -> None:
        """From now on anew: how long this connection is used, and how often."""
        self.since = monotonic()
        self.requests = 0

    def load(
        self,
        digest: str,
        artifact_fd: int,
        *,
        fmt: str,
        signature: Mapping[str, Any],
        deadline: float,
    ) -> dict[str, Any]:
        """Have the child hold this model; again costs nothing. Answers with facts ("bytes").

        `deadline` is in seconds. Raises ModelRefused, ChildDied, ChildTimedOut or BadReply.
        """
        request = {"op": "load", "digest": digest, "fmt": fmt, "signature": signature}
        return clean_json(self.ask(request, deadline=deadline, file=artifact_fd).header)

    def turn_to_load(self, *, timeout: float) -> AbstractContextManager[None]:
        """Wait until it may be given a model: few are loaded at once, and one a child.

        Raises RunnerUnavailable.
        """
        return self._runner.turn_to_load(self.child, timeout=timeout)

    def rename(self, digest: str, to: str | None, *, deadline: float) -> None:
        """Have a model answer to another name, or to none: then the child drops it.

        Raises ModelRefused, ChildDied, ChildTimedOut or BadReply.
        """
        self.ask({"op": "rename", "digest": digest, "to": to}, deadline=deadline)

    def predict(
        self,
        digest: str,
        rows: Rows,
        methods: Sequence[str],
        *,
        deadline: float,
        kill_late: bool = True,
    ) -> dict[str, Output]:
        """What the model answers to `rows`, by method.

        `deadline` is in seconds; a child that is late is killed, or left to the caller's
        judgement. Raises NotLoaded, ModelRaised, ChildDied, ChildTimedOut
        or BadReply.
        """
        entries, buffers = frames.encode_rows(rows)
        request = {
            "op": "predict",
            "digest": digest,
            "methods": methods,
            "count": rows.count,
            "rows": entries,
            # By the clock of this machine, which the child shares.
            "until": monotonic() + deadline,
        }
        frame = self.ask(
            request, buffers, deadline=deadline, refusal=ModelRaised, kill_late=kill_late
        )
        try:
            outputs = frames.decode_outputs(
                frame.header.get("outputs"), body=frame.body, count=rows.count, methods=methods
            )
        except frames.Malformed as error:
            self.end("broken")
            raise BadReply(f"The model's answer makes no sense: {error}.") from error
        return {name: clean_labels(output) for name, output in outputs.items()}

    def ask(
        self,
        request: Mapping[str, Any],
        buffers: Sequence[frames.Buffer] = (),
        *,
        deadline: float,
        file: int | None = None,
        refusal: type[SandboxError] = ModelRefused,
        kill_late: bool = True,
    ) -> frames.Frame:
        """One exchange; an error in the answer is raised as `refusal`."""
        try:
            pieces = frames.pack(request, buffers)
        except frames.TooLarge as error:
            raise refusal("The request is too large for the model's process.") from error
        self.requests += 1
        with self._failures_told(kill_late):
            frame = self._exchange(pieces, monotonic() + deadline, file)
        if "error" in frame.header:
            raise _refused(frame.header["error"], refusal)
        return frame

    def _exchange(
        self, pieces: list[frames.Buffer], until: float, file: int | None
    ) -> frames.Frame:
        frames.check_quiet(self._connection)
        if file is None:
            frames.send(self._connection, pieces, deadline=until)
        else:
            with _reopened(file) as descriptor:
                frames.send(self._connection, pieces, deadline=until, descriptor=descriptor)
        return frames.receive(self._connection, deadline=until)

    @contextmanager
    def _failures_told(self, kill_late: bool) -> Iterator[None]:
        """Translate failures; whatever made no sense or no end is killed."""
        try:
            yield
        except frames.TimedOut as error:
            if kill_late:
                self.end("late")
            self.close()
            raise ChildTimedOut("The model took longer than it may.") from error
        except frames.Malformed as error:
            self.end("broken")
            raise BadReply(f"The model's process broke the protocol: {error}.") from error
        except frames.Closed as error:
            raise self._death(unread=error.unread) from error

    def _death(self, *, unread: bool) -> SandboxError:
        self._connection.close()
        try:
            exit_code = self._shared_exit(unread) if self._control is None else self._private_exit()
        except RunnerUnavailable as error:
            # The child has ended with the runner, which says nothing about the model.
            return _gone() if self._control is None else error
        finally:
            self.close()
        return _gone() if exit_code is None else ChildDied(_told(exit_code))

    def _private_exit(self) -> int:
        """How a private child ended, as the runner tells its owner. Raises RunnerUnavailable."""
        try:
            self._control.settimeout(0.5)
            packet = self._control.recv(MAX_REPLY)
        except TimeoutError:
            return 0
        except OSError:
            packet = b""
        if not packet:
            raise RunnerUnavailable("The sandboxed runner has ended meanwhile.")
        return orjson.loads(packet)["ended"]["exit"]

    def _shared_exit(self, unread: bool) -> int | None:
        """None when it was none of its doing, or it ended before it saw what we asked."""
        for _ in range(FATE_TRIES) if not unread else ():
            fate = self._runner.fate(self.child)
            if not fate["alive"]:
                return fate.get("exit") if fate.get("doom") == "" else None
            sleep(FATE_PAUSE)
        if not unread:
            self.end("broken")  # it lives and does not talk to us
        return None if unread else 0

    def end(self, because: str) -> None:
        """Kill the child for what it did: "late" or "broken". Does not raise."""
        try:
            self._runner.kill(self.child, because=because)
        except RunnerUnavailable:
            pass  # then the child ends with the runner
        self.close()

    def kill(self) -> None:
        """End the child, for everybody who is connected to it. Raises RunnerUnavailable."""
        self._runner.kill(self.child)

    def close(self) -> None:
        """Leave the child; a private one ends. Safe to call twice."""
        self._connection.close()
        if self._control is not None:
            self._control.close()


@contextmanager
def _reopened(file: int) -> Iterator[int]:
    """The same file, read-only and with a position of its own.

    The descriptor itself would share its position with a stranger, and its right to write.
    """
    descriptor = os.open(f"/proc/self/fd/{file}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _refused(error: object, kind: type[SandboxError]) -> SandboxError:
    if not isinstance(error, dict):
        return BadReply("The model's process failed without a reason.")
    # Not str(): a list that is nested deeply enough cannot be written.
    code, reason = (
        part if isinstance(part, str) else "" for part in (error.get("code"), error.get("reason"))
    )
    reason = clean(reason).strip() or "The model's process failed without a reason."
    if code == NotLoaded.code:
        return NotLoaded(reason)
    if kind is ModelRaised:
        return ModelRaised(reason)
    return kind(reason, code=code if _is_code(code) else None)


def _is_code(code: str) -> bool:
    return len(code) <= MAX_CODE and code.isascii() and code.replace("_", "a").isalnum()


def _gone() -> ChildDied:
    return ChildDied("The model's process has ended since.", code="host_gone")


def _told(exit_code: int) -> str:
    return f"The model's process ended{_cause(exit_code)}."


def _cause(exit_code: int) -> str:
    if exit_code >= 0:
        return ""
    name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else "a signal"
    if name == "SIGKILL":
        return ": it used more time or memory than it may"
    return f" by {name}"
