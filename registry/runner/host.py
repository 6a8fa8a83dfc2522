"""What a child does with requests: hold models and answer rows, or inspect one artifact.

The model's code runs in this process, so whatever it raises, even SystemExit, becomes
an answer here; what it kills or hangs is the runner's and the client's to notice.
"""

import os
from collections import OrderedDict
from itertools import pairwise
from time import monotonic
from typing import Any

import numpy as np
import orjson

from registry.rows import Block, Rows
from registry.runner import frames, inspector, predictors, read_table, scan_report
from registry.runner.allocated import allocated_bytes
from registry.runner.exchange import Request
from registry.runner.refusals import Refused

MAX_HELD_BYTES = 512 << 20
MAX_BATCH_ROWS = 8192


class Inspection:
    """Answers "scan" (a report), "inspect" (another, and the compiled graphs back to back) and
    "read_table" (its columns, as JSON in the body)."""

    def answer(self, requests: list[Request]) -> None:
        acts = {"scan": self._scan, "read_table": self._read_table}
        for request in requests:
            try:
                acts.get(request.header.get("op"), self._inspect)(request)
            except BaseException as error:
                refuse(request, error)

    def _scan(self, request: Request) -> None:
        with _artifact(request) as file:
            request.reply({"report": scan_report.scan_artifact(file)})

    def _read_table(self, request: Request) -> None:
        with _artifact(request) as file:
            table = read_table.read_table(file)
        request.reply({}, [orjson.dumps(table)])

    def _inspect(self, request: Request) -> None:
        with _artifact(request) as file:
            report, graphs = inspector.inspect(file, fmt=request.header["fmt"])
        sizes = [len(graph) for graph in graphs]
        request.reply({"report": report, "graph_sizes": sizes}, graphs)


class Host:
    """Answers "load", "rename" and "predict"; the model used least recently leaves first."""

    def __init__(self, max_bytes: int = MAX_HELD_BYTES) -> None:
        self._held: OrderedDict[str, predictors.Predictor] = OrderedDict()
        self._max_bytes = max_bytes
        self._acts = {"load": self._load, "rename": self._rename}

    def answer(self, requests: list[Request]) -> None:
        """Rows that ask the same of the same model go through it together."""
        batches: dict[tuple, list[_Question]] = {}
        for request in requests:
            act = self._acts.get(str(request.header.get("op")))
            if act is not None:
                act(request)
                continue
            try:
                question = _Question(request)
            except (frames.Malformed, KeyError, TypeError, AttributeError):
                request.fail("bad_request", "The runner does not understand the request.")
                continue
            batches.setdefault(question.alike, []).append(question)
        for alike, questions in batches.items():
            for batch in _cut(questions):
                self._predict(alike[0], batch)

    def _load(self, request: Request) -> None:
        try:
            digest = request.header["digest"]
            if digest not in self._held:
                self._hold(digest, self._opened(request))
            request.reply({"bytes": self._held[digest].nbytes, "held": len(self._held)})
        except MemoryError as error:
            # What loading takes on its way is not counted: whoever is asked for comes again.
            self._held.clear()
            refuse(request, error)
        except BaseException as error:
            refuse(request, error)

    def _rename(self, request: Request) -> None:
        """Loaded on trial, a model gets its name, or leaves."""
        predictor = self._held.pop(str(request.header.get("digest")), None)
        to = request.header.get("to")
        if predictor is not None and isinstance(to, str):
            self._held[to] = predictor
        request.reply({"held": len(self._held)})

    def _opened(self, request: Request) -> predictors.Predictor:
        before = allocated_bytes() or 0
        with _artifact(request) as file:
            predictor = predictors.load(
                file, fmt=request.header["fmt"], signature=request.header["signature"]
            )
        # The predictor's own estimate holds where it is larger, or nothing can be measured.
        predictor.nbytes = max(predictor.nbytes, (allocated_bytes() or 0) - before)
        return predictor

    def _hold(self, digest: str, predictor: predictors.Predictor) -> None:
        self._held[digest] = predictor
        while len(self._held) > 1 and self._bytes() > self._max_bytes:
            self._held.popitem(last=False)

    def _bytes(self) -> int:
        return sum(predictor.nbytes for predictor in self._held.values())

    def _predict(self, digest: str, batch: "list[_Question]") -> None:
        predictor = self._held.get(digest)
        if predictor is None:
            for question in batch:
                question.request.fail("not_loaded", "This host does not hold the model.")
            return
        self._held.move_to_end(digest)
        batch = _in_time(batch)
        if not batch:
            return
        try:
            self._predict_together(predictor, batch)
        except BaseException as error:
            if len(batch) == 1:
                _blame_model(batch[0].request, error)
                return
            # Somebody's rows upset the model: find out whose, and answer the others.
            for question in batch:
                self._predict(digest, [question])

    def _predict_together(self, predictor: predictors.Predictor, batch: "list[_Question]") -> None:
        outputs = predictor.predict(_merge([one.rows for one in batch]), batch[0].methods)
        parts = _split(outputs, [one.rows.count for one in batch])
        # Packed first, all of them: once one is answered, none may be asked again.
        packed = [_packed(part) for part in parts]
        for question, pieces in zip(batch, packed, strict=True):
            question.request.send(pieces)


class _Question:
    """A request for predictions, understood. Raises Malformed, KeyError or TypeError."""

    def __init__(self, request: Request) -> None:
        header = request.header
        self.request = request
        self.methods = [str(method) for method in header["methods"]]
        self.until = header.get("until")
        self.rows = frames.decode_rows(header["rows"], count=header["count"], body=request.body)
        layout = tuple(
            "strings" if isinstance(block, list) else block.shape[1] for block in self.rows.blocks
        )
        self.alike = (str(header["digest"]), tuple(self.methods), layout)


def _in_time(batch: list[_Question]) -> list[_Question]:
    """Those somebody still waits for; asked anew for each batch, as each takes its time."""
    now = monotonic()
    late = [one for one in batch if isinstance(one.until, int | float) and one.until <= now]
    for question in late:
        question.request.fail("expired", "The time for an answer was over before its turn came.")
    return [one for one in batch if one not in late] if late else batch


def _cut(questions: list[_Question]) -> list[list[_Question]]:
    """Batches of a size at which waiting for one another still pays."""
    batches, rows = [[questions[0]]], questions[0].rows.count
    for question in questions[1:]:
        rows += question.rows.count
        if rows > MAX_BATCH_ROWS:
            batches.append([])
            rows = question.rows.count
        batches[-1].append(question)
    return batches


def _packed(outputs: dict[str, Any]) -> list[frames.Buffer]:
    entries, buffers = frames.encode_outputs(outputs)
    return frames.pack({"outputs": entries}, buffers)


def _merge(many: list[Rows]) -> Rows:
    if len(many) == 1:
        return many[0]
    blocks = [_joined(parts) for parts in zip(*(rows.blocks for rows in many), strict=True)]
    return Rows(blocks=blocks, count=sum(rows.count for rows in many))


def _joined(parts: tuple[Block, ...]) -> Block:
    if isinstance(parts[0], list):
        return [value for part in parts for value in part]
    return np.concatenate(parts)


def _split(outputs: dict[str, Any], counts: list[int]) -> list[dict[str, Any]]:
    for value in outputs.values():
        for part in value if _is_each(value) else [value]:
            if len(part) != sum(counts):
                raise ValueError("the model gave another number of answers than it got rows")
    if len(counts) == 1:
        return [outputs]
    starts = np.cumsum([0, *counts]).tolist()
    return [
        {name: _sliced(value, slice(start, end)) for name, value in outputs.items()}
        for start, end in pairwise(starts)
    ]


def _sliced(value: Any, rows: slice) -> Any:
    return [part[rows] for part in value] if _is_each(value) else value[rows]


def _is_each(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], np.ndarray)


def _artifact(request: Request) -> Any:
    descriptor = request.take_descriptor()
    if descriptor is None:
        raise Refused("unreadable", "No file came with the request.")
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.fdopen(descriptor, "rb")


def refuse(request: Request, error: BaseException) -> None:
    """Answer that the artifact did not get past opening."""
    if isinstance(error, Refused):
        request.fail(error.code, error.reason)
    elif isinstance(error, MemoryError):
        request.fail("out_of_memory", "The model needs more memory than a model is allowed.")
    elif isinstance(error, frames.TooLarge):
        request.fail("too_large", "The compiled model is too large.")
    else:
        request.fail("unreadable", f"Opening the model failed: {described(error)}")


def _blame_model(request: Request, error: BaseException) -> None:
    if isinstance(error, MemoryError):
        reason = "The model ran out of memory on these rows."
    elif isinstance(error, Refused):
        reason = error.reason
    elif isinstance(error, frames.TooLarge):
        reason = "The answer is too large: ask for fewer rows at a time."
    else:
        reason = described(error)
    request.fail("model_raised", reason)


def described(error: BaseException) -> str:
    """Class and message. The message's own code may be hostile too."""
    try:
        return f"{type(error).__name__}: {error}"[:1000]
    except BaseException:
        return type(error).__name__
