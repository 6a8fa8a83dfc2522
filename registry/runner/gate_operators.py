"""The gate's rules for single operators: attributes of the right kind and in range."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto

from registry.runner.gate_tensors import MAX_ELEMENTS, refuse, values_of
from registry.runner.gate_trees import check_trees
from registry.runner.gate_widths import attributes_of

MAX_INDEX = 5_000_000
PLAIN_ATTRIBUTES = (
    AttributeProto.FLOAT,
    AttributeProto.INT,
    AttributeProto.STRING,
    AttributeProto.TENSOR,
    AttributeProto.FLOATS,
    AttributeProto.INTS,
    AttributeProto.STRINGS,
)
Constants = dict[str, onnx.TensorProto]


def check_operator(node: onnx.NodeProto, constants: Constants) -> None:
    """Raises Refused unless the node's attributes are plain and in range."""
    seen = set()
    for attribute in node.attribute:
        if attribute.type not in PLAIN_ATTRIBUTES or attribute.ref_attr_name:
            raise refuse(f"{node.op_type} has an attribute that is a graph or a reference")
        if attribute.name in seen:
            raise refuse(f"{node.op_type} has an attribute twice")
        seen.add(attribute.name)
    if node.op_type in CHECKS:
        CHECKS[node.op_type](node, attributes_of(node), constants)


def check_schema(node: onnx.NodeProto, opsets: dict[str, int]) -> None:
    """Raises Refused unless the standard knows such an operator, with such attributes."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    if domain not in opsets:
        raise refuse(f"it does not say which {domain} it uses")
    opset = opsets[domain]
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, domain)
    except onnx.defs.SchemaError:
        raise refuse(f"version {opset} of its operators has no {node.op_type}") from None
    if not schema.min_input <= len(node.input) <= schema.max_input:
        raise refuse(f"{node.op_type} has {len(node.input)} inputs")
    if not schema.min_output <= len(node.output) <= schema.max_output:
        raise refuse(f"{node.op_type} has {len(node.output)} outputs")
    known = schema.attributes
    for attribute in node.attribute:
        if attribute.name not in known:
            raise refuse(f"{node.op_type} has no attribute {attribute.name[:50]!r}")
        if attribute.type != known[attribute.name].type.value:
            raise refuse(f"the {attribute.name[:50]} of {node.op_type} is of the wrong kind")


def check_width(node: onnx.NodeProto, given: Sequence[int | None], constants: Constants) -> None:
    """Raises Refused where an operator would read a column that is not there."""
    attributes = attributes_of(node)
    width = given[0] if given else None
    if node.op_type.startswith("TreeEnsemble"):
        if width is None:
            raise refuse("a tree reads a value of unknown width")
        used = attributes.get("nodes_featureids", [])
        if len(used) and not 0 <= min(used) <= max(used) < width:
            raise refuse("a tree reads a column that is not there")
    elif width is not None and node.op_type in WIDTH_CHECKS:
        WIDTH_CHECKS[node.op_type](node, attributes, constants, width)


def _check_scaler(node: Any, attributes: dict[str, Any], constants: Constants, width: int) -> None:
    for name in ("offset", "scale"):
        if len(attributes.get(name, [0])) not in (1, width):
            raise refuse(f"the {name} of a scaler does not fit its input")


def _check_imputer(node: Any, attributes: dict[str, Any], constants: Constants, width: int) -> None:
    for name in ("imputed_value_floats", "imputed_value_int64s"):
        if len(attributes.get(name, [0])) not in (1, width):
            raise refuse("the values of an imputer do not fit its input")


def _check_weights(node: Any, attributes: dict[str, Any], constants: Constants, width: int) -> None:
    count = _labels(attributes) or int(attributes.get("targets", 1))
    if len(attributes.get("coefficients", [])) not in (count * width, width):
        raise refuse("the coefficients of a linear model do not fit its input")


def _check_vectors(node: Any, attributes: dict[str, Any], constants: Constants, width: int) -> None:
    vectors = int(attributes.get("n_supports", 0)) or sum(attributes.get("vectors_per_class", []))
    if len(attributes.get("support_vectors", [])) != vectors * width:
        raise refuse("the support vectors of an SVM do not fit its input")


def _check_places(node: Any, attributes: dict[str, Any], constants: Constants, width: int) -> None:
    is_columns = node.op_type != "Gather" or attributes.get("axis", 0) in (1, -1)
    if not is_columns or node.input[1] not in constants:
        return
    places = values_of(constants[node.input[1]])
    least = 0 if node.op_type == "ArrayFeatureExtractor" else -width
    if places.size and not least <= int(places.min()) <= int(places.max()) < width:
        raise refuse(f"{node.op_type} reads a column that is not there")


def _check_linear_classifier(node: Any, attributes: dict[str, Any], constants: Constants) -> None:
    classes = _labels(attributes)
    weights, biases = attributes.get("coefficients", []), attributes.get("intercepts", [])
    if not classes or not len(weights) or len(weights) % classes:
        raise refuse("the coefficients of a linear classifier do not fit its classes")
    if len(biases) not in (0, 1, classes):
        raise refuse("the intercepts of a linear classifier do not fit its classes")


def _check_linear_regressor(node: Any, attributes: dict[str, Any], constants: Constants) -> None:
    targets = attributes.get("targets", 1)
    weights, biases = attributes.get("coefficients", []), attributes.get("intercepts", [])
    if not 0 < targets <= 10_000 or not len(weights) or len(weights) % targets:
        raise refuse("the coefficients of a linear regressor do not fit its targets")
    if len(biases) not in (0, 1, targets):
        raise refuse("the intercepts of a linear regressor do not fit its targets")


def _check_svm_classifier(node: Any, attributes: dict[str, Any], constants: Constants) -> None:
    classes = _labels(attributes)
    counts = list(attributes.get("vectors_per_class", []))
    total = sum(counts)
    if len(counts) != classes or classes < 2 or min(counts) < 0 or total == 0:
        raise refuse("the vectors of an SVM do not fit its classes")
    pairs = classes * (classes - 1) // 2
    sizes = {
        "coefficients": (classes - 1) * total,
        "rho": pairs,
    }
    for name, size in sizes.items():
        if len(attributes.get(name, [])) != size:
            raise refuse(f"the {name} of an SVM do not fit its classes")
    for name in ("prob_a", "prob_b"):
        if len(attributes.get(name, [])) not in (0, pairs):
            raise refuse(f"the {name} of an SVM do not fit its classes")
    if len(attributes.get("support_vectors", [])) % total:
        raise refuse("the support vectors of an SVM are of different lengths")
    _check_kernel(attributes)


def _check_svm_regressor(node: Any, attributes: dict[str, Any], constants: Constants) -> None:
    count = attributes.get("n_supports", 0)
    if count < 1 or len(attributes.get("coefficients", [])) != count:
        raise refuse("the coefficients of an SVM do not fit its vectors")
    if len(attributes.get("support_vectors", [])) % count or len(attributes.get("rho", [])) != 1:
        raise refuse("the support vectors of an SVM are of different lengths")
    _check_kernel(attributes)


def _check_kernel(attributes: dict[str, Any]) -> None:
    if len(attributes.get("kernel_params", [0, 0, 0])) != 3:
        raise refuse("an SVM's kernel has not three parameters")


def _check_text(node: Any, attributes: dict[str, Any], constants: Constants) -> None:
    counts, indexes = list(attributes.get("ngram_counts", [])), attributes.get("ngram_indexes", [])
    pool = max(len(attributes.get("pool_strings", [])), len(attributes.get("pool_int64s", [])))
    if counts != sorted(counts) or (counts and not 0 <= counts[0] <= counts[-1] <= pool):
        raise refuse("the n-grams of a text vectorizer are out of range")
    if len(indexes) and not 0 <= min(indexes) <= max(indexes) <= MAX_INDEX:
        raise refuse("the indices of a text vectorizer are out of range")
    if len(attributes.get("weights", [])) not in (0, len(indexes)):
        raise refuse("the weights of a text vectorizer do not fit its indices")


def _check_extractor(node: Any, attributes: dict[str, Any], constants: Constants) -> None:
    if node.input[1] in constants:
        indices = values_of(constants[node.input[1]])
        if indices.size == 0 or int(indices.min()) < 0 or int(indices.max()) > MAX_INDEX:
            raise refuse("an extractor's index is out of range")


def _check_target_shape(node: Any, attributes: dict[str, Any], constants: Constants) -> None:
    if len(node.input) > 1 and node.input[1] in constants:
        sizes = [abs(int(one)) for one in values_of(constants[node.input[1]]).ravel()]
        if len(sizes) > 8 or np.prod([max(one, 1) for one in sizes], dtype=float) > MAX_ELEMENTS:
            raise refuse(f"{node.op_type} makes a value that is too large")


def _check_divisor(node: Any, attributes: dict[str, Any], constants: Constants) -> None:
    # An integer division by 0 or of the least integer by -1 ends the process.
    if len(node.input) > 1 and node.input[1] in constants:
        divisor = values_of(constants[node.input[1]])
        if divisor.dtype.kind in "iu" and np.isin(divisor, [0, -1]).any():
            raise refuse(f"{node.op_type} by zero")


def _check_label_encoder(node: Any, attributes: dict[str, Any], constants: Constants) -> None:
    sizes = {
        len(value)
        for name, value in attributes.items()
        if name.startswith(("keys_", "values_")) and isinstance(value, list)
    }
    if len(sizes) > 1:
        raise refuse("a label encoder has more keys than values")


def _check_constant(node: Any, attributes: dict[str, Any], constants: Constants) -> None:
    # Known from here on, as initializers are.
    if len(attributes) != 1 or not node.output:
        raise refuse("a constant has no value, or several")
    (kind, value), name = next(iter(attributes.items())), node.output[0]
    if kind == "value":
        constants[name] = value
    elif kind in NUMBERS:
        values = [value] if kind in ("value_int", "value_float") else list(value)
        dimensions = [] if kind in ("value_int", "value_float") else [len(values)]
        constants[name] = onnx.helper.make_tensor(name, NUMBERS[kind], dimensions, values)


NUMBERS = {
    "value_int": onnx.TensorProto.INT64,
    "value_ints": onnx.TensorProto.INT64,
    "value_float": onnx.TensorProto.FLOAT,
    "value_floats": onnx.TensorProto.FLOAT,
}


def _labels(attributes: dict[str, Any]) -> int:
    names = ("classlabels_ints", "classlabels_strings", "classlabels_int64s")
    return max(len(attributes.get(name, [])) for name in names)


WIDTH_CHECKS: dict[str, Callable[[Any, dict[str, Any], Constants, int], None]] = {
    "Scaler": _check_scaler,
    "Imputer": _check_imputer,
    "LinearClassifier": _check_weights,
    "LinearRegressor": _check_weights,
    "SVMClassifier": _check_vectors,
    "SVMRegressor": _check_vectors,
    "ArrayFeatureExtractor": _check_places,
    "Gather": _check_places,
}
CHECKS: dict[str, Callable[[Any, dict[str, Any], Constants], None]] = {
    "TreeEnsembleClassifier": check_trees,
    "TreeEnsembleRegressor": check_trees,
    "LinearClassifier": _check_linear_classifier,
    "LinearRegressor": _check_linear_regressor,
    "SVMClassifier": _check_svm_classifier,
    "SVMRegressor": _check_svm_regressor,
    "TfIdfVectorizer": _check_text,
    "ArrayFeatureExtractor": _check_extractor,
    "Expand": _check_target_shape,
    "Reshape": _check_target_shape,
    "Div": _check_divisor,
    "Mod": _check_divisor,
    "LabelEncoder": _check_label_encoder,
    "Constant": _check_constant,
}
