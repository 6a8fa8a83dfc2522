"""Answering rows: from a compiled graph, or from the estimator itself.

Both take the same rows and give the same answers; which one serves a version is
decided by whoever compared them.
"""

import io
import warnings
from collections.abc import Sequence
from typing import Any, BinaryIO, Protocol

import numpy as np
import pandas as pd

from registry.formats import GRAPH
from registry.rows import Rows
from registry.runner import gate
from registry.runner.columns import Column, columns_of, takes_text, unwrapped
from registry.runner.compile_columns import MISSING
from registry.runner.opening import open_artifact
from registry.runner.refusals import Refused
from registry.runner.sessions import open_session

Output = np.ndarray | list


NUMBERS = ("float", "integer")
MAX_GRAPH_BYTES = 64 * 1024 * 1024


class Predictor(Protocol):
    nbytes: int

    def predict(self, rows: Rows, methods: Sequence[str]) -> dict[str, Output]: ...


def load(file: BinaryIO, *, fmt: str, signature: dict) -> Predictor:
    """Ready a model to answer: an upload of one of the formats, or a GRAPH. Raises Refused."""
    if fmt == GRAPH:
        return GraphPredictor(file.read(MAX_GRAPH_BYTES + 1), signature)
    opened = open_artifact(file, fmt=fmt)
    return EstimatorPredictor(opened.estimator, signature, nbytes=file.tell())


class GraphPredictor:
    """A compiled graph, run by onnxruntime on this thread."""

    def __init__(self, graph: bytes, signature: dict) -> None:
        gate.check(graph)
        self.session = open_session(graph)
        self.nbytes = 2 * len(graph) + 65536
        self._run = self.session.run
        self._outputs = {output.name for output in self.session.get_outputs()}
        inputs = self.session.get_inputs()
        self._names = [one.name for one in inputs]
        self._types = [_numpy_type(one.type) for one in inputs]
        self._is_matrix = len(inputs) == 1 and self._types[0] is not object
        self._finish = _finishers(signature)

    def predict(self, rows: Rows, methods: Sequence[str]) -> dict[str, Output]:
        """Answers of each of `methods`. Raises Refused when the graph has no such output."""
        asked = [method for method in methods if method in self._outputs]
        if len(asked) != len(methods):
            raise Refused("no_method", f"The model does not answer {', '.join(methods)}.")
        answers = self._run(asked, self._feed(rows))
        return {
            method: self._finish[method](answer)
            for method, answer in zip(asked, answers, strict=True)
        }

    def _feed(self, rows: Rows) -> dict[str, np.ndarray]:
        if self._is_matrix:
            block = rows.blocks[0]
            return {self._names[0]: block.astype(self._types[0], copy=False)}
        columns = _single_columns(rows)
        return {
            name: _graph_column(column, dtype)
            for name, dtype, column in zip(self._names, self._types, columns, strict=True)
        }


class EstimatorPredictor:
    """The estimator itself."""

    def __init__(self, estimator: Any, signature: dict, *, nbytes: int = 0) -> None:
        self.estimator = estimator
        # Python objects take a few times their pickled size.
        self.nbytes = 3 * nbytes + 65536
        names = [one["name"] for one in signature["inputs"]]
        self.columns = columns_of(estimator, names)
        for column, one in zip(self.columns, signature["inputs"], strict=True):
            column.dtype = one["dtype"]
        self._is_text = takes_text(estimator)
        self._is_named = signature["named"]
        # The signature's names are cleaned for people; the estimator knows only its own.
        own = getattr(estimator, "feature_names_in_", None)
        if own is None:
            own = getattr(unwrapped(estimator), "feature_names_in_", names)
        self._names = [str(name) for name in own] if self._is_named else names
        self._is_matrix = all(
            column.dtype in NUMBERS and column.known is None for column in self.columns
        )

    def predict(self, rows: Rows, methods: Sequence[str]) -> dict[str, Output]:
        """Answers of each of `methods`; the model's own exceptions pass through."""
        table = self.table(rows)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return {
                method: normalized(getattr(self.estimator, method)(table)) for method in methods
            }

    def table(self, rows: Rows) -> Any:
        """The rows as the estimator was fitted on them: matrix, data frame or documents."""
        if self._is_text:
            return ["" if one is None else one for one in rows.blocks[0]]
        if self._is_matrix and not self._is_named:
            return rows.blocks[0]
        if self._is_matrix:
            return pd.DataFrame(rows.blocks[0], columns=self._names)
        columns = [
            _table_column(values, column)
            for values, column in zip(_single_columns(rows), self.columns, strict=True)
        ]
        if self._is_named:
            return pd.DataFrame(dict(zip(self._names, columns, strict=True)))
        table = np.empty((rows.count, len(columns)), dtype=object)
        for index, values in enumerate(columns):
            table[:, index] = values
        return table


def normalized(answer: Any) -> Output:
    """float64, int64 or bool arrays, or lists of strings; several outputs as a list of those."""
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    if isinstance(answer, list):
        if answer and isinstance(answer[0], np.ndarray):
            return [normalized(one) for one in answer]
        answer = np.asarray(answer)
    answer = np.asarray(answer)
    if answer.dtype.kind in "iu":
        if answer.dtype == np.uint64 and answer.size and answer.max() > np.iinfo(np.int64).max:
            raise OverflowError("the model answers integers beyond 64 signed bits")
        return answer.astype(np.int64, copy=False)
    if answer.dtype.kind == "f":
        return answer.astype(np.float64, copy=False)
    return answer if answer.dtype.kind == "b" else _unboxed(answer)


def _unboxed(answer: np.ndarray) -> Output:
    values = answer.ravel().tolist()
    for kind, dtype in ((bool, bool), (int, np.int64), (float, np.float64)):
        if values and all(type(one) is kind for one in values):
            return answer.astype(dtype)
    return np.vectorize(str, otypes=[object])(answer).tolist() if answer.size else []


def _single_columns(rows: Rows) -> list:
    columns: list = []
    for block in rows.blocks:
        columns.extend([block] if isinstance(block, list) else list(block.T))
    return columns


def _graph_column(values: Any, dtype: type) -> np.ndarray:
    if dtype is object:
        filled = [MISSING if one is None else one for one in values]
        return np.array(filled, dtype=object).reshape(-1, 1)
    return np.asarray(values, dtype=dtype).reshape(-1, 1)


def _table_column(values: Any, column: Column) -> np.ndarray | pd.Categorical:
    if column.known is not None:
        return _categorical(values, column)
    if isinstance(values, list):
        table = np.empty(len(values), dtype=object)
        table[:] = [column.missing if one is None else one for one in values]
        return table
    if column.dtype == "boolean" and not np.isnan(values).any():
        return values.astype(bool)
    return values


def _categorical(values: Any, column: Column) -> pd.Categorical:
    known = dict.fromkeys(column.known)
    kept = [one if one in known else None for one in values]
    if column.is_closed:
        gone = zip(kept, values, strict=True)
        others = [one for left, one in gone if left is None and one is not None and one == one]
        if others:
            raise ValueError(f"found an unknown category, {others[0]!r}")
    return pd.Categorical(kept, categories=column.known)


def _numpy_type(name: str) -> type:
    types = {
        "tensor(double)": np.float64,
        "tensor(float)": np.float32,
        "tensor(int64)": np.int64,
        "tensor(string)": object,
    }
    if name not in types:
        raise Refused("graph_refused", "The graph takes a type of input that is not served.")
    return types[name]


def _finishers(signature: dict) -> dict[str, Any]:
    """How to turn a graph's output into the estimator's own type and shape."""
    outputs = signature["outputs"]["predict"]
    width = outputs["count"]
    dtype = {"integer": np.int64, "float": np.float64, "boolean": bool}.get(outputs["dtype"])

    def finish_predict(answer: np.ndarray) -> Output:
        answer = answer.reshape(-1, width) if width > 1 else answer.reshape(-1)
        return answer.tolist() if dtype is None else answer.astype(dtype, copy=False)

    proba = signature["outputs"].get("predict_proba")
    widths = [len(one) for one in proba["classes"]] if proba else []

    def finish_proba(answer: np.ndarray) -> Output:
        answer = answer.astype(np.float64, copy=False)
        # The outputs of a graph with several are side by side.
        return np.split(answer, np.cumsum(widths)[:-1], axis=1) if len(widths) > 1 else answer

    return {"predict": finish_predict, "predict_proba": finish_proba}


def from_bytes(content: bytes, *, fmt: str, signature: dict) -> Predictor:
    """`load` for what is already in memory."""
    return load(io.BytesIO(content), fmt=fmt, signature=signature)
