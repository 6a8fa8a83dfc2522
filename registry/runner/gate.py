"""Which graphs may be loaded at all.

ONNX is a program, and the converter runs beside the uploader's code: our own
output is judged as strictly as a stranger's. Only what converters emit passes;
every other operator, type, size and attribute is refused. The sandbox is the wall
behind this one.
"""

from collections.abc import Iterable

import onnx

from registry.runner.gate_operators import check_operator, check_schema, check_width
from registry.runner.gate_tensors import Limits, check_tensor, constant_bytes, refuse
from registry.runner.gate_widths import width_of

MAX_BYTES = 64 * 1024 * 1024
MAX_METADATA = 64 * 1024
MAX_NODES = 5000
MAX_INPUTS = 2000
MAX_OUTPUTS = 16
MAX_WIDTH = 100_000
MAX_NAME = 300
IR_VERSIONS = range(3, 13)
OPSETS = {"": range(9, 24), "ai.onnx": range(9, 24), "ai.onnx.ml": range(1, 6)}
NOT_ONNX = {b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "compressed", b"\x80": "a pickle"}
INPUT_TYPES = (
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.INT64,
    onnx.TensorProto.INT32,
    onnx.TensorProto.BOOL,
    onnx.TensorProto.STRING,
)

STANDARD = """
    Abs Add Ceil Clip CumSum Div Erf Exp Floor Log Max Mean Min Mod Mul Neg Pow Reciprocal Round
    Sign Sqrt Sub Sum Gemm MatMul Relu Sigmoid Softmax Tanh StringNormalizer TfIdfVectorizer And
    Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Where Xor ArgMax ArgMin
    TopK ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Cast Concat Constant Expand Flatten Gather GatherElements GatherND Identity
    Reshape ScatterElements Shape Slice Split Squeeze Transpose Unsqueeze LpNormalization
    BatchNormalization Celu Cos Elu Gelu HardSigmoid HardSwish LayerNormalization LeakyRelu
    LogSoftmax Mish PRelu Selu Sin Softplus Softsign ThresholdedRelu
"""
MACHINE_LEARNING = """
    ArrayFeatureExtractor Binarizer CategoryMapper DictVectorizer FeatureVectorizer Imputer
    LabelEncoder LinearClassifier LinearRegressor Normalizer OneHotEncoder Scaler SVMClassifier
    SVMRegressor TreeEnsembleClassifier TreeEnsembleRegressor ZipMap
"""
OPERATORS = {
    "": frozenset(STANDARD.split()),
    "ai.onnx.ml": frozenset(MACHINE_LEARNING.split()),
}


def check(graph: bytes, *, uploaded: bool = False) -> None:
    """Raises Refused("graph_refused", reason) unless `graph` keeps to every rule.

    An uploaded one may also give what a ZipMap makes, as scikit-learn's exporter has it.
    """
    model = parsed(graph)
    opsets = _check_model(model)
    _check_interface(model.graph)
    _check_outputs(model.graph, uploaded=uploaded)
    _check_constants(model.graph)
    _check_nodes(model.graph, opsets)


def _check_bytes(graph: bytes) -> None:
    if not graph:
        raise refuse("it is empty")
    if len(graph) > MAX_BYTES:
        raise refuse(f"it has more than {MAX_BYTES >> 20} MiB")
    if graph[4:8] == b"ORTM":
        # The runtime goes by content: this format would pass by every check below.
        raise refuse("it is in the runtime's own format, not ONNX")
    for magic, kind in NOT_ONNX.items():
        if graph.startswith(magic):
            raise refuse(f"it is {kind}, not ONNX")


def parsed(graph: bytes) -> onnx.ModelProto:
    """The graph as a message, nothing of it checked but its size. Raises Refused."""
    _check_bytes(graph)
    try:
        return onnx.ModelProto.FromString(graph)
    except MemoryError:
        raise
    except Exception:
        raise refuse("it is not ONNX") from None


def _check_model(model: onnx.ModelProto) -> dict[str, int]:
    if model.ir_version not in IR_VERSIONS:
        raise refuse(f"its IR version is {model.ir_version}")
    opsets = _check_opsets(model)
    for name in ("functions", "training_info", "configuration"):
        if getattr(model, name, None):
            raise refuse(f"it has {name.replace('_', ' ')}")
    if any(entry.key == "ort_config" for entry in model.metadata_props):
        raise refuse("it configures the runtime")
    if sum(len(one.key) + len(one.value) for one in model.metadata_props) > MAX_METADATA:
        raise refuse("its metadata is too long")
    return opsets


def _check_opsets(model: onnx.ModelProto) -> dict[str, int]:
    """The version of each domain; the standard's own is called "" """
    seen: dict[str, int] = {}
    for opset in model.opset_import:
        if opset.domain not in OPSETS:
            raise refuse(f"it uses the domain {opset.domain[:50]!r}")
        if opset.version not in OPSETS[opset.domain]:
            raise refuse(f"it uses version {opset.version} of {opset.domain or 'ai.onnx'}")
        domain = "" if opset.domain == "ai.onnx" else opset.domain
        if domain in seen:
            raise refuse("it names a domain twice")
        seen[domain] = opset.version
    if "" not in seen:
        raise refuse("it does not say which operators it uses")
    return seen


def _check_interface(graph: onnx.GraphProto) -> None:
    if not graph.node or len(graph.node) > MAX_NODES:
        raise refuse(f"it has {len(graph.node)} nodes")
    if not 0 < len(graph.input) <= MAX_INPUTS:
        raise refuse(f"it has {len(graph.input)} inputs")
    if not 0 < len(graph.output) <= MAX_OUTPUTS:
        raise refuse(f"it has {len(graph.output)} outputs")
    if graph.sparse_initializer or graph.quantization_annotation:
        raise refuse("it has sparse or quantised tensors")
    for one in graph.input:
        _check_input(one)


def _check_outputs(graph: onnx.GraphProto, *, uploaded: bool) -> None:
    zipped = {node.output[0] for node in graph.node if node.op_type == "ZipMap" and node.output}
    for one in graph.output:
        is_zipped = uploaded and one.name in zipped and one.type.HasField("sequence_type")
        if not one.type.HasField("tensor_type") and not is_zipped:
            raise refuse("an output is not a tensor")


def _check_input(one: onnx.ValueInfoProto) -> None:
    if not one.type.HasField("tensor_type") or one.type.tensor_type.elem_type not in INPUT_TYPES:
        raise refuse("an input is not a plain tensor")
    dimensions = one.type.tensor_type.shape.dim
    if not 1 <= len(dimensions) <= 2:
        raise refuse("an input is not a table")
    for dimension in dimensions:
        if dimension.HasField("dim_value") and not 0 <= dimension.dim_value <= MAX_WIDTH:
            raise refuse("an input is too wide")


def _check_constants(graph: onnx.GraphProto) -> None:
    total = 0
    for tensor in _all_tensors(graph):
        check_tensor(tensor)
        total += constant_bytes(tensor)
        if total > Limits.constant_bytes:
            raise refuse("its constants take too much memory")


def _all_tensors(graph: onnx.GraphProto) -> Iterable[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t


def _check_nodes(graph: onnx.GraphProto, opsets: dict[str, int]) -> None:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    widths = {one.name: _input_width(one) for one in graph.input}
    defined = _first_names(graph)
    for node in graph.node:
        _check_node(node, defined)
        given = [widths.get(name) for name in node.input]
        check_schema(node, opsets)
        check_operator(node, constants)
        check_width(node, given, constants)
        widths.update(width_of(node, given, constants))
    for one in graph.output:
        if one.name not in defined:
            raise refuse(f"nothing makes its output {one.name[:50]!r}")


def _first_names(graph: onnx.GraphProto) -> set[str]:
    names = [one.name for one in graph.input] + [one.name for one in graph.initializer]
    for name in names:
        _check_name(name)
    if len(set(names)) < len(names):
        # An initializer may not be an input as well: callers could replace it.
        raise refuse("it defines a value twice")
    return set(names)


def _check_node(node: onnx.NodeProto, defined: set[str]) -> None:
    """Allowed, uses only what is defined, defines only what is new (so there is no cycle)."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    if node.op_type not in OPERATORS.get(domain, ()):
        raise refuse(f"it uses the operator {node.op_type[:50]!r}, which is not allowed")
    if getattr(node, "overload", "") or getattr(node, "device_configurations", None):
        raise refuse("a node asks for an overload or a device")
    for name in node.input:
        if name and name not in defined:
            raise refuse(f"it uses {name[:50]!r} before that is defined")
    for name in node.output:
        _check_name(name or "unused")
        if name in defined:
            raise refuse(f"it defines {name[:50]!r} twice")
        if name:
            defined.add(name)


def _check_name(name: str) -> None:
    if not isinstance(name, str):  # protobuf hands on what is no UTF-8 as bytes
        raise refuse("a name is no text")
    if not name or len(name) > MAX_NAME:
        raise refuse("a name is empty or too long")
    # What is no UTF-8 comes back as bytes.
    if not isinstance(name, str):
        raise refuse("a name is no text")
    if not name.isprintable() or "<" in name or ">" in name:
        raise refuse("a name has characters that are not allowed")


def _input_width(one: onnx.ValueInfoProto) -> int | None:
    dimensions = one.type.tensor_type.shape.dim
    last = dimensions[-1]
    return last.dim_value if len(dimensions) == 2 and last.HasField("dim_value") else None
