"""The trusted side of the runner: the only way to a model.

* SandboxError            every one has .code and .reason, clean and short
  - RunnerUnavailable     no child to be had; nothing wrong with the model
  - ModelRefused          the artifact cannot be served, .code says why
  - NotLoaded             this child does not hold the model: load it, ask again
  - ModelRaised           the model's own exception on these rows
  - ChildDied             the child ended; .code "host_gone" when it had before it saw the request
  - ChildTimedOut         the deadline passed, the child is being killed
  - BadReply              the answer is none to what was asked

What a child says is a stranger's word: sizes are checked before reading, shapes against
what was asked, texts are cut and cleaned. Standard library, numpy and orjson only.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

import orjson

from registry.plain_text import clean, clean_json, clean_labels
from registry.reports import Inspection, Unusable, inspection, scanned, table
from registry.rows import Rows
from registry.runner import frames
from registry.runner.frames import Output

CONTROL_SECONDS = 2.0
MAX_CONTROL_REPLY = 256 << 10
GRACE_SECONDS = 1.0  # the runner's own deadline for a private child: only if ours did not come
MAX_CODE = 40


class SandboxError(Exception):
    code = "sandbox_error"

    def __init__(self, reason: str, *, code: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code or self.code


class RunnerUnavailable(SandboxError):
    code = "runner_unavailable"


class ModelRefused(SandboxError):
    code = "unreadable"


class NotLoaded(SandboxError):
    code = "not_loaded"


class ModelRaised(SandboxError):
    code = "model_raised"


class ChildDied(SandboxError):
    code = "model_crashed"


class ChildTimedOut(SandboxError):
    code = "model_timed_out"


class BadReply(SandboxError):
    code = "bad_reply"


class Runner:
    """The runner at a socket. Thread-safe: every call has a control connection of its own."""

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path

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

    def host(self, key: str, *, kind: str, timeout: float = CONTROL_SECONDS) -> "Host":
        """A connection to the host of this key; who asks alike shares the child.

        Raises RunnerUnavailable.
        """
        with self._connected(timeout) as control:
            child, connection = _given(control, {"op": "host", "kind": kind, "key": key})
        return Host(self, child, connection)

    def fresh_host(self, *, kind: str) -> "Host":
        """A child for this Host alone, which ends with it. Raises RunnerUnavailable."""
        return self._private({"op": "fresh_host", "kind": kind})

    def status(self, *, timeout: float = 1.0) -> dict[str, Any]:
        """Children, memory, fences, libraries and uptime. Raises RunnerUnavailable."""
        with self._connected(timeout) as control:
            reply, _ = _asked(control, {"op": "status"})
        return reply

    def kill(self, child: int) -> None:
        """End this child; the others live on. Raises RunnerUnavailable."""
        with self._connected(CONTROL_SECONDS) as control:
            _asked(control, {"op": "kill", "child": child})

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
        control = self._connect(CONTROL_SECONDS)
        try:
            child, connection = _given(control, request)
        except BaseException:
            control.close()
            raise
        return Host(self, child, connection, control=control)

    @contextmanager
    def _connected(self, timeout: float) -> Iterator[socket.socket]:
        control = self._connect(timeout)
        with control:
            yield control

    def _connect(self, timeout: float) -> socket.socket:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.settimeout(timeout)
        try:
            _connect_in_turn(control, self._path, until=monotonic() + timeout)
        except OSError as error:
            control.close()
            raise RunnerUnavailable("The sandboxed runner does not answer.") from error
        return control


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
        self._child = child
        self._connection = connection
        # A private child lives as long as this control connection.
        self._control = control

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

    def predict(
        self, digest: str, rows: Rows, methods: Sequence[str], *, deadline: float
    ) -> dict[str, Output]:
        """What the model answers to `rows`, by method.

        `deadline` is in seconds. Raises NotLoaded, ModelRaised, ChildDied, ChildTimedOut
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
        frame = self.ask(request, buffers, deadline=deadline, refusal=ModelRaised)
        try:
            outputs = frames.decode_outputs(
                frame.header.get("outputs"), body=frame.body, count=rows.count, methods=methods
            )
        except frames.Malformed as error:
            self._end()
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
    ) -> frames.Frame:
        """One exchange; an error in the answer is raised as `refusal`."""
        try:
            pieces = frames.pack(request, buffers)
        except frames.TooLarge as error:
            raise refusal("The request is too large for the model's process.") from error
        with self._failures_told():
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
    def _failures_told(self) -> Iterator[None]:
        """Translate failures; whatever made no sense or no end is killed."""
        try:
            yield
        except frames.TimedOut as error:
            self._end()
            raise ChildTimedOut("The model took longer than it may.") from error
        except frames.Malformed as error:
            self._end()
            raise BadReply(f"The model's process broke the protocol: {error}.") from error
        except frames.Closed as error:
            raise self._death(unread=error.unread) from error

    def _death(self, *, unread: bool) -> ChildDied:
        exit_code = self._exit_code()
        self.close()
        if unread and exit_code is None:
            return ChildDied("The model's process has ended since.", code="host_gone")
        return ChildDied(f"The model's process ended{_cause(exit_code)}.")

    def _exit_code(self) -> int | None:
        """How a private child ended, as the runner tells its owner."""
        if self._control is None:
            return None
        try:
            self._control.settimeout(0.5)
            return orjson.loads(self._control.recv(MAX_CONTROL_REPLY))["ended"]["exit"]
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return None

    def _end(self) -> None:
        try:
            self.kill()
        except RunnerUnavailable:
            pass  # then the child ends with the runner
        self.close()

    def kill(self) -> None:
        """End the child, for everybody who is connected to it. Raises RunnerUnavailable."""
        self._runner.kill(self._child)

    def close(self) -> None:
        """Leave the child; a private one ends. Safe to call twice."""
        self._connection.close()
        if self._control is not None:
            self._control.close()


def _connect_in_turn(control: socket.socket, path: str, *, until: float) -> None:
    # With a time-out set, a full queue is an error at once instead of a wait.
    while True:
        try:
            return control.connect(path)
        except BlockingIOError:
            if monotonic() > until:
                raise
            sleep(0.005)


def _asked(control: socket.socket, request: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """One question to the runner: its reply, and the descriptors that came along."""
    try:
        control.send(orjson.dumps(request))
        packet, descriptors, _, _ = socket.recv_fds(control, MAX_CONTROL_REPLY, 1)
        reply = orjson.loads(packet)
    except (OSError, orjson.JSONDecodeError) as error:
        raise RunnerUnavailable("The sandboxed runner does not answer.") from error
    if "error" in reply:
        for descriptor in descriptors:
            os.close(descriptor)
        raise RunnerUnavailable(clean(reply["error"]["reason"]), code=reply["error"]["code"])
    return reply, descriptors


def _given(control: socket.socket, request: Mapping[str, Any]) -> tuple[int, socket.socket]:
    reply, descriptors = _asked(control, request)
    if len(descriptors) != 1:
        raise RunnerUnavailable("The sandboxed runner gave no connection.")
    return reply["child"], socket.socket(fileno=descriptors[0])


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


def _cause(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return ""
    name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else "a signal"
    if name == "SIGKILL":
        return ": it used more time or memory than it may"
    return f" by {name}"
