"""How many columns a graph's values have, as far as that is certain.

Tree and scaler operators read columns by number: the gate must know how many there are. A known
width also says that the value is a table: of a list, the runtime would take the rows for columns.
"""

from collections.abc import Sequence

import onnx

Widths = Sequence[int | None]

_SAME_AS_FIRST = """
    Cast Identity Abs Neg Sqrt Exp Log Sigmoid Tanh Relu Softmax IsNaN Not Round Floor Ceil Sign
    Erf Reciprocal Clip Normalizer Scaler Imputer LabelEncoder Binarizer LpNormalization
    BatchNormalization Celu Cos Elu Gelu HardSigmoid HardSwish LayerNormalization LeakyRelu
    LogSoftmax Mish Selu Sin Softplus Softsign ThresholdedRelu
"""
SAME_AS_FIRST = frozenset(_SAME_AS_FIRST.split())
_BROADCAST = """
    Add Sub Mul Div Pow Max Min Sum Mean And Or Xor Equal Greater GreaterOrEqual Less
    LessOrEqual Where Mod
"""
BROADCAST = frozenset(_BROADCAST.split())


def width_of(
    node: onnx.NodeProto, given: Widths, constants: dict[str, onnx.TensorProto]
) -> dict[str, int | None]:
    """The width of each output of `node`; None where it is not certain."""
    known = [
        _table_width(constants[name]) if name in constants else width
        for name, width in zip(node.input, given, strict=True)
    ]
    if node.op_type in ("TreeEnsembleClassifier", "LinearClassifier"):
        return {node.output[0]: None, **{name: _classes(node) for name in node.output[1:]}}
    first = _first_width(node, known, constants)
    return {name: first if index == 0 else None for index, name in enumerate(node.output)}


def attributes_of(node: onnx.NodeProto) -> dict[str, object]:
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def _first_width(
    node: onnx.NodeProto, known: list[int | None], constants: dict[str, onnx.TensorProto]
) -> int | None:
    op = node.op_type
    if op in SAME_AS_FIRST:
        return known[0] if known else None
    if op in BROADCAST:
        return _broadcast_width(node, known, constants)
    if op == "Concat":
        is_columns = attributes_of(node).get("axis") in (1, -1)
        return sum(known) if is_columns and None not in known else None
    if op == "Gather":
        if attributes_of(node).get("axis", 0) in (1, -1):
            return None if known[0] is None else _length(node.input[1], constants)
        # Looking up a list by a table of places keeps the table's shape.
        data = constants.get(node.input[0])
        return known[1] if data is not None and len(data.dims) == 1 else None
    if op == "ArrayFeatureExtractor":
        return _length(node.input[1], constants)
    if op == "Reshape":
        return _last_of_shape(node, constants)
    return _computed_width(node, known)


def _last_of_shape(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> int | None:
    """The columns of the table asked for, if that is a number and not "what is left"."""
    shape = constants.get(node.input[1])
    sizes = [] if shape is None else onnx.numpy_helper.to_array(shape).ravel().tolist()
    return int(sizes[-1]) if len(sizes) == 2 and sizes[-1] > 0 else None


def _broadcast_width(
    node: onnx.NodeProto, known: list[int | None], constants: dict[str, onnx.TensorProto]
) -> int | None:
    """Of a table and what is spread over it: a number, a row, another table."""
    if all(width is None for width in known):
        return None
    widths = list(known)
    for place, name in enumerate(node.input):
        if name in constants and len(constants[name].dims) < 2:
            widths[place] = int(constants[name].dims[0]) if constants[name].dims else 1
    if None in widths:
        return None
    return 0 if 0 in widths else max(widths)


def _computed_width(node: onnx.NodeProto, known: list[int | None]) -> int | None:
    if node.op_type == "MatMul":
        return known[1]
    if node.op_type == "Gemm":
        return None if attributes_of(node).get("transB") else known[1]
    if node.op_type in ("TreeEnsembleRegressor",):
        return int(attributes_of(node).get("n_targets", 1))
    if node.op_type in ("LinearRegressor", "SVMRegressor"):
        return int(attributes_of(node).get("targets", 1))
    if node.op_type == "FeatureVectorizer":
        # As wide as it is told to be, whatever there is.
        claimed = list(attributes_of(node).get("inputdimensions", []))
        return sum(claimed) if claimed == known else None
    return None


def _table_width(tensor: onnx.TensorProto) -> int | None:
    return int(tensor.dims[1]) if len(tensor.dims) == 2 else None


def _length(name: str, constants: dict[str, onnx.TensorProto]) -> int | None:
    """How many places a constant list has; one row of them will do."""
    dimensions = list(constants[name].dims) if name in constants else []
    if len(dimensions) == 2 and dimensions[0] == 1:
        dimensions = dimensions[1:]
    return int(dimensions[0]) if len(dimensions) == 1 else None


def _classes(node: onnx.NodeProto) -> int | None:
    attributes = attributes_of(node)
    names = ("classlabels_int64s", "classlabels_strings", "classlabels_ints")
    return max((len(attributes.get(name, ())) for name in names), default=None)
