"""What goes into an uploaded ONNX graph, what comes out of it, and what it knows of its columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from registry.runner.columns import attempt
from registry.runner.gate_tensors import values_of
from registry.runner.gate_widths import attributes_of
from registry.runner.refusals import Refused

DTYPES: dict[int, Any] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.INT64: np.int64,
    TensorProto.INT32: np.int32,
    TensorProto.BOOL: bool,
    TensorProto.STRING: object,
}
LABELS = (TensorProto.INT64, TensorProto.INT32, TensorProto.STRING, TensorProto.BOOL)
NUMBERS = (TensorProto.FLOAT, TensorProto.DOUBLE)
CLASS_ATTRIBUTES = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
# They hand on what they get: a label is still one behind them, and a column still that column.
HANDING_ON = ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten")
PICKING = ("Gather", "ArrayFeatureExtractor")
MAX_STEPS_BACK = 20


@dataclass
class Port:
    """One input of a graph."""

    name: str
    kind: int
    rank: int
    width: int
    batch: int | None  # the fixed number of rows, if it is

    @property
    def dtype(self) -> Any:
        return DTYPES[self.kind]

    @property
    def column_dtype(self) -> str:
        if self.kind == TensorProto.STRING:
            return "string"
        if self.kind == TensorProto.BOOL:
            return "boolean"
        return "float" if self.kind in NUMBERS else "integer"


@dataclass
class Outputs:
    """The values that answer: labels or numbers, and scores of the classes, if there are."""

    predict: str
    is_label: bool
    scores: str | None = None
    zipped: str | None = None  # the scores as a list of dictionaries, as ZipMap gives them
    classes: list[Any] | None = None
    unserved: tuple[str, ...] = ()


def ports_of(graph: onnx.GraphProto) -> list[Port]:
    """The inputs; a width the graph leaves open is written into it. Raises Refused."""
    return [_port(one, graph) for one in graph.input]


def _port(one: onnx.ValueInfoProto, graph: onnx.GraphProto) -> Port:
    tensor = one.type.tensor_type
    if tensor.elem_type not in DTYPES or not 1 <= len(tensor.shape.dim) <= 2:
        raise Refused(
            "graph_refused",
            f"The graph's input {one.name[:50]!r} is no table of numbers, booleans or strings.",
        )
    rows, *columns = tensor.shape.dim
    if columns and columns[0].dim_value < 1:
        columns[0].dim_value = _width_wanted(one.name, graph)
    width = columns[0].dim_value if columns else 1
    return Port(one.name, tensor.elem_type, 1 + len(columns), width, rows.dim_value or None)


def _width_wanted(name: str, graph: onnx.GraphProto) -> int:
    """As many columns as what takes the value has weights for. Raises Refused."""
    names, constants = {name}, constants_of(graph)
    for node in graph.node:
        if not node.input or node.input[0] not in names:
            continue
        if node.op_type in HANDING_ON:
            names.update(node.output)
        elif found := _columns_weighed(node, constants):
            return found
    raise Refused(
        "no_width",
        f"The graph does not say how many columns its input {name[:50]!r} has. Export it with "
        "that number: the second dimension must be fixed.",
    )


def _columns_weighed(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> int:
    attributes = attributes_of(node)
    if node.op_type in ("MatMul", "Gemm") and len(constants[node.input[1]].dims) == 2:
        return int(constants[node.input[1]].dims[1 if attributes.get("transB") else 0])
    if node.op_type == "Scaler":
        return len(attributes.get("offset", ()))
    if node.op_type == "LinearRegressor":
        return len(attributes["coefficients"]) // attributes.get("targets", 1)
    if node.op_type == "LinearClassifier":
        return len(attributes["coefficients"]) // len(_class_labels(node) or [0])
    return 0


def outputs_of(graph: onnx.GraphProto) -> Outputs:
    """Raises Refused where nothing is a prediction."""
    makers = {name: node for node in graph.node for name in node.output}
    tensors = {
        o.name: o.type.tensor_type.elem_type for o in graph.output if o.type.HasField("tensor_type")
    }
    zipped = [o.name for o in graph.output if o.type.HasField("sequence_type")]
    labels = [name for name, kind in tensors.items() if kind in LABELS]
    numbers = [name for name, kind in tensors.items() if kind in NUMBERS]
    if not labels and not numbers:
        raise Refused("no_predict", "The graph gives neither labels nor numbers.")
    if not labels:
        return Outputs(numbers[0], is_label=False, unserved=tuple(numbers[1:] + zipped))
    found = Outputs(labels[0], is_label=True, classes=_classes_behind(labels[0], graph, makers))
    if zipped:
        maker = makers[zipped[0]]
        found.zipped, found.scores = zipped[0], maker.input[0]
        found.classes = _class_labels(maker)
    elif numbers:
        found.scores = numbers[0]
    served = (found.predict, found.zipped, found.scores)
    found.unserved = tuple(name for name in tensors if name not in served)
    return found


def _classes_behind(
    name: str, graph: onnx.GraphProto, makers: dict[str, onnx.NodeProto]
) -> list[Any] | None:
    """The labels in the order of their scores, as whatever picks one of them knows them."""
    constants = constants_of(graph)
    for _ in range(MAX_STEPS_BACK):
        node = makers.get(name)
        if node is None:
            return None
        labels = _class_labels(node)
        if labels is None and node.op_type in ("ArrayFeatureExtractor", "Gather"):
            listed = constants.get(node.input[0])
            labels = None if listed is None else _plain_labels(values_of(listed))
        if labels is not None or node.op_type not in HANDING_ON:
            return labels
        name = node.input[0]
    return None


def _class_labels(node: onnx.NodeProto) -> list[Any] | None:
    for attribute in node.attribute:
        if attribute.name in CLASS_ATTRIBUTES:
            values = onnx.helper.get_attribute_value(attribute)
            if values:
                return [one.decode() if isinstance(one, bytes) else one for one in values]
    return None


def _plain_labels(values: np.ndarray) -> list[Any] | None:
    listed = values.ravel().tolist()
    return [one.decode() if isinstance(one, bytes) else one for one in listed]


def constants_of(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Initializers, and what Constant nodes hold."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    return found


@dataclass
class Known:
    """What a graph tells of one of its columns."""

    dtype: str
    categories: list[Any] | None = None
    thresholds: tuple[float, ...] = ()


def known_columns(graph: onnx.GraphProto, ports: list[Port]) -> list[Known]:
    """One for each column of each port in order."""
    known = {port.name: [Known(port.column_dtype) for _ in range(port.width)] for port in ports}
    tracked, constants = dict(known), constants_of(graph)
    for node in graph.node:
        attempt(_follow, node, tracked, constants)
    return [one for port in ports for one in known[port.name]]


def _follow(
    node: onnx.NodeProto, tracked: dict[str, list[Known]], constants: dict[str, onnx.TensorProto]
) -> None:
    columns = [tracked.get(name) for name in node.input]
    if not columns or columns[0] is None:
        return
    if node.op_type in PICKING:
        picked = _picked(node, columns[0], constants)
        tracked.update({node.output[0]: picked} if picked else {})
    elif node.op_type in HANDING_ON or node.op_type == "Imputer":
        tracked[node.output[0]] = columns[0]
    elif node.op_type in ("Concat", "FeatureVectorizer") and None not in columns:
        tracked[node.output[0]] = [one for many in columns for one in many]
    elif node.op_type.startswith("TreeEnsemble"):
        _note_splits(node, columns[0])
    elif node.op_type in ("OneHotEncoder", "LabelEncoder"):
        for column in columns[0]:
            _note_categories(node, column)


def _picked(
    node: onnx.NodeProto, columns: list[Known], constants: dict[str, onnx.TensorProto]
) -> list[Known]:
    """The columns that a constant list of places picks."""
    if node.op_type == "Gather" and attributes_of(node).get("axis", 0) not in (1, -1):
        return []
    return [columns[place] for place in values_of(constants[node.input[1]]).ravel()]


def _note_splits(node: onnx.NodeProto, columns: list[Known]) -> None:
    attributes = attributes_of(node)
    values = attributes.get("nodes_values_as_tensor")
    values = attributes.get("nodes_values", []) if values is None else values_of(values)
    modes = attributes.get("nodes_modes", [])
    splits: dict[int, list[float]] = {}
    for feature, value, mode in zip(
        attributes.get("nodes_featureids", []), values, modes, strict=False
    ):
        if mode != b"LEAF":
            splits.setdefault(feature, []).append(float(value))
    for feature, found in splits.items():
        if feature < len(columns):
            columns[feature].thresholds += tuple(found)


def _note_categories(node: onnx.NodeProto, column: Known) -> None:
    names = ("cats_strings", "keys_strings") if column.dtype == "string" else ("cats_int64s",)
    for attribute in node.attribute:
        if attribute.name in names:
            column.categories = list(_decoded(onnx.helper.get_attribute_value(attribute)))


def _decoded(values: list[Any]) -> Iterator[Any]:
    return (one.decode() if isinstance(one, bytes) else float(one) for one in values)
