"""Writes ONNX graphs in float64, one node at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
ML_OPSET = 3
IR_VERSION = 8
ML = "ai.onnx.ml"


@dataclass(frozen=True)
class Feature:
    """Column `index` of the matrix `source`, which has `width` columns."""

    source: str
    index: int
    width: int
    is_string: bool = False


# What a step sees: features, copied into one matrix only when a step needs it.
Features = list[Feature]


class GraphBuilder:
    """Collects nodes and constants; every value is named once."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.inputs: list[Any] = []
        self.constants: dict[tuple, str] = {}
        self._matrices: dict[tuple[Feature, ...], str] = {}
        # Whether trees must be summed finer than float32: what follows may step at any value.
        self.is_fine = False

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; its name."""
        return self.add_many(op, *inputs, outputs=1, domain=domain, **attributes)[0]

    def add_many(
        self, op: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        names = [f"v{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """A constant tensor; equal ones are kept once."""
        array = np.asarray(values, dtype=dtype)
        key = (str(dtype), array.shape, array.tobytes() if dtype is not object else str(values))
        if key not in self.constants:
            name = f"c{len(self.initializers)}"
            self.initializers.append(
                numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
            )
            self.constants[key] = name
        return self.constants[key]

    def input(self, name: str, width: int, *, is_string: bool = False) -> Features:
        kind = TensorProto.STRING if is_string else TensorProto.DOUBLE
        self.inputs.append(helper.make_tensor_value_info(name, kind, [None, width]))
        return self.features(name, width, is_string=is_string)

    def features(self, source: str, width: int, *, is_string: bool = False) -> Features:
        return [Feature(source, index, width, is_string) for index in range(width)]

    def double(self, value: str) -> str:
        return self.add("Cast", value, to=TensorProto.DOUBLE)

    def integer(self, value: str) -> str:
        return self.add("Cast", value, to=TensorProto.INT64)

    def matrix(self, features: Features) -> str:
        """The name of one matrix that holds exactly `features`, in order."""
        key = tuple(features)
        if key not in self._matrices:
            parts = [self._part(run) for run in _runs(features)]
            self._matrices[key] = parts[0] if len(parts) == 1 else self.concat(parts)
        return self._matrices[key]

    def _part(self, run: Features) -> str:
        first = run[0]
        if [one.index for one in run] == list(range(first.width)):
            return first.source
        indices = self.constant([one.index for one in run], np.int64)
        return self.add("Gather", first.source, indices, axis=1)

    def concat(self, parts: Sequence[str], axis: int = 1) -> str:
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=axis)

    def total(self, value: str, axis: int = 1) -> str:
        """Sums over `axis`, which stays with length 1."""
        return self.add("ReduceSum", value, self.constant([axis], np.int64), keepdims=1)

    def one_hot(self, index: str, width: int) -> str:
        """(rows, width) with 1 where a column's number is the row's `index` of shape (rows,)."""
        column = self.add("Reshape", index, self.constant([-1, 1], np.int64))
        return self.double(self.add("Equal", column, self.constant([range(width)], np.int64)))

    def ones(self, inputs: Features) -> str:
        """(rows, 1) of ones."""
        value = self.matrix(inputs[:1])
        if inputs[0].is_string:
            known = {"keys_strings": [""], "values_int64s": [1], "default_int64": 1}
            return self.double(self.add("LabelEncoder", value, domain=ML, **known))
        missing = self.integer(self.add("IsNaN", value))
        return self.double(self.add("Equal", missing, missing))

    def column(self, value: str, index: int, width: int) -> str:
        return self.matrix(self.features(value, width)[index : index + 1])

    def squeezed(self, value: str) -> str:
        """(rows, 1) as (rows,)."""
        return self.add("Reshape", value, self.constant([-1], np.int64))

    def argmax(self, value: str) -> str:
        return self.add("ArgMax", value, axis=1, keepdims=0)

    def serialize(self, outputs: dict[str, tuple[str, int]]) -> bytes:
        """The graph as bytes; `outputs` maps a value's public name to (value, element type)."""
        infos = []
        for name, (value, kind) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
            infos.append(helper.make_tensor_value_info(name, kind, None))
        graph = helper.make_graph(self.nodes, "model", self.inputs, infos, self.initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="mlplatform")
        model.ir_version = IR_VERSION
        return model.SerializeToString()


def _runs(features: Features) -> list[Features]:
    """Neighbours from the same matrix, together."""
    runs: list[Features] = []
    for one in features:
        if runs and runs[-1][-1].source == one.source:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs
