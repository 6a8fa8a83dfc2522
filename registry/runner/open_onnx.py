"""An uploaded ONNX graph as an estimator: it passes the gate, runs, and answers as exported."""

from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from registry.runner import gate, onnx_graphs
from registry.runner.loading import Opened
from registry.runner.onnx_ports import Known, Outputs, Port, known_columns, outputs_of, ports_of
from registry.runner.refusals import Refused
from registry.runner.sessions import open_session

ROWS_TRIED = 12
# How far from 1 the sum of a row of probabilities may be.
SLACK = 1e-3


def open_onnx(content: bytes) -> Opened:
    """Raises Refused: by the gate, the runtime, or for want of a prediction."""
    try:
        return _opened(content)
    except UnicodeDecodeError:
        raise Refused("graph_refused", "The graph is refused: a text in it is no UTF-8.") from None


def _opened(content: bytes) -> Opened:
    model = onnx_graphs.tidied(gate.parsed(content))
    ports = ports_of(model.graph)
    gate.check(model.SerializeToString(), uploaded=True)
    _require_rows(ports)
    outputs = outputs_of(model.graph)
    estimator = _kind_of(outputs)(model, ports, outputs)
    opened = Opened(estimator, trained_with="")  # no scikit-learn was there
    if outputs.unserved:
        names = ", ".join(outputs.unserved)
        opened.warnings.append(f"The graph has outputs that are not served: {names}.")
    return opened


def _require_rows(ports: list[Port]) -> None:
    batches = {port.batch for port in ports} - {None, 1}
    if batches:
        raise Refused(
            "fixed_batch",
            f"The graph takes exactly {min(batches)} rows at a time. Export it with a first "
            'dimension that may vary: dynamic_axes={"X": {0: "rows"}}.',
        )


class OnnxModel(BaseEstimator):
    """A graph that answers rows. Columns are the ports' columns in order."""

    __module__ = "onnx"  # people read it as part of the name

    def __init__(self, model: onnx.ModelProto, ports: list[Port], outputs: Outputs) -> None:
        self.model = model
        self.ports = ports
        self.outputs = outputs
        self._session = open_session(model.SerializeToString())
        self._one_by_one = any(port.batch == 1 for port in ports)
        self.stated_columns_ = known_columns(model.graph, ports)
        self.n_features_in_ = len(self.stated_columns_)
        if len(ports) > 1:
            self.feature_names_in_ = np.array(_names_of(ports), dtype=object)
        if outputs.classes:
            self.classes_ = np.array(outputs.classes)
        self.has_probabilities_ = self._gives_probabilities()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """What people read of it."""
        opsets = {one.domain or "ai.onnx": one.version for one in self.model.opset_import}
        producer = f"{self.model.producer_name} {self.model.producer_version}".strip()
        operators = sorted({node.op_type for node in self.model.graph.node})
        return {"producer": producer, "opsets": opsets, "operators": operators}

    @property
    def precision(self) -> str:
        is_double = all(port.kind == TensorProto.DOUBLE for port in self.ports)
        return "float64" if is_double else "float32"

    def as_served(self) -> bytes:
        """The graph in the form in which graphs are served."""
        return onnx_graphs.normalized(
            self.model, self.ports, self.outputs, proba=self.has_probabilities_
        )

    def predict(self, table: Any) -> np.ndarray:
        answer, scores = self._answers(table)
        if scores is not None and np.isnan(scores).any():
            raise ValueError("The graph has no answer for a missing value.")
        return answer

    @available_if(lambda self: self.has_probabilities_)
    def predict_proba(self, table: Any) -> np.ndarray:
        scores = self._answers(table)[1]
        if np.isnan(scores).any():
            raise ValueError("The graph has no answer for a missing value.")
        return scores

    def _answers(self, table: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """What `predict` says, and the scores of the classes where there are any."""
        columns = _columns_of(table)
        if not self._one_by_one:
            return self._run(columns)
        rows = [self._run([one[i : i + 1] for one in columns]) for i in range(len(columns[0]))]
        answers, scores = zip(*rows, strict=True)
        return np.concatenate(answers), None if scores[0] is None else np.concatenate(scores)

    def _run(self, columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
        feed, start = {}, 0
        for port in self.ports:
            feed[port.name] = _fed(port, columns[start : start + port.width])
            start += port.width
        outputs = self.outputs
        asked = [outputs.predict, outputs.zipped or outputs.scores]
        found = self._session.run([name for name in asked if name], feed)
        answer = found[0].reshape(len(columns[0]), -1)
        scores = self._matrix(found[1]) if len(found) > 1 else None
        return answer[:, 0] if answer.shape[1] == 1 else answer, scores

    def _matrix(self, scores: Any) -> np.ndarray:
        if isinstance(scores, list):  # a dictionary a row, as ZipMap makes them
            return np.array([[row[label] for label in self.outputs.classes] for row in scores])
        return scores

    def _gives_probabilities(self) -> bool:
        """Whether the scores are between 0 and 1 and add up to 1, on rows of several sizes."""
        if self.outputs.scores is None or not self.outputs.is_label:
            return False
        sizes = [0.0, *np.geomspace(0.01, 100, ROWS_TRIED)]
        answers = [one for one in map(self._try, sizes) if one is not None]
        if not answers:
            return False
        labels, scores = (np.concatenate(parts) for parts in zip(*answers, strict=True))
        return _are_probabilities(scores) and self._know_classes(labels, scores)

    def _know_classes(self, labels: np.ndarray, scores: np.ndarray) -> bool:
        """Where the graph does not name its classes, labels that count from 0 do."""
        if self.outputs.classes is None and np.array_equal(labels, scores.argmax(axis=1)):
            self.outputs.classes = list(range(scores.shape[1]))
            self.classes_ = np.arange(scores.shape[1])
        return self.outputs.classes is not None

    def _try(self, size: float) -> tuple[np.ndarray, np.ndarray | None] | None:
        """The answer to a row of numbers of about this size, if there is one."""
        row = [
            np.array([_made_up(column, size if index % 2 == 0 else -size)], dtype=object)
            for index, column in enumerate(self.stated_columns_)
        ]
        try:
            return self._run(row)
        except MemoryError:
            raise
        except Exception:
            return None


class OnnxClassifier(ClassifierMixin, OnnxModel):
    """It gives labels, and its classes are known."""

    __module__ = "onnx"


class OnnxRegressor(RegressorMixin, OnnxModel):
    """It gives numbers: one a row, or several."""

    __module__ = "onnx"


def _are_probabilities(scores: np.ndarray) -> bool:
    if scores.ndim != 2 or scores.shape[1] < 2:
        return False
    known = scores[np.isfinite(scores).all(axis=1)]
    within = (known > -SLACK) & (known < 1 + SLACK)
    sums = np.abs(known.sum(axis=1) - 1) < SLACK
    return len(known) > 0 and bool(within.all() and sums.all())


def _kind_of(outputs: Outputs) -> type[OnnxModel]:
    if not outputs.is_label:
        return OnnxRegressor
    return OnnxClassifier if outputs.classes else OnnxModel


def _names_of(ports: list[Port]) -> list[str]:
    return [
        port.name if port.width == 1 else f"{port.name}_{index}"
        for port in ports
        for index in range(port.width)
    ]


def _columns_of(table: Any) -> list[np.ndarray]:
    if isinstance(table, pd.DataFrame):
        return [table.iloc[:, index].to_numpy() for index in range(table.shape[1])]
    return list(np.asarray(table).T)


def _made_up(column: Known, number: float) -> str | float:
    if column.categories:
        return column.categories[0]
    return "" if column.dtype == "string" else number


def _fed(port: Port, columns: list[np.ndarray]) -> np.ndarray:
    """The port's columns as the graph takes them. Raises ValueError for a missing value."""
    table = np.column_stack(columns)
    if port.dtype is object:
        if not all(isinstance(one, str) for one in table.ravel()):
            raise ValueError(f"{port.name} takes strings, and none may be missing.")
        table = table.astype(object)
    else:
        table = table.astype(np.float64)
        if port.dtype not in (np.float32, np.float64) and np.isnan(table).any():
            raise ValueError(f"No value of {port.name} may be missing.")
        with np.errstate(over="ignore"):
            table = table.astype(port.dtype)
    return table.ravel() if port.rank == 1 else table
