"""Graphs that only look like models: for the gate, and for whoever gets past it."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from tests.hostile.bytes import Bait

ROWS = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 4])
ANSWER = helper.make_tensor_value_info("predict", TensorProto.FLOAT, None)
GIB = 1 << 30


def graph(*nodes: onnx.NodeProto, constants: tuple = (), **changes: object) -> ModelProto:
    """A model of these nodes, from X to predict."""
    made = helper.make_graph(list(nodes), "g", [ROWS], [ANSWER], list(constants))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8, **changes)


def node(operator: str, *inputs: str, to: str = "predict", **attributes: object) -> onnx.NodeProto:
    domain = "ai.onnx.ml" if operator in MACHINE_LEARNING else ""
    return helper.make_node(operator, list(inputs), [to], domain=domain, **attributes)


_MACHINE_LEARNING = """
    ArrayFeatureExtractor LinearClassifier LinearRegressor Scaler SVMClassifier SVMRegressor
    TreeEnsembleClassifier TreeEnsembleRegressor FeatureVectorizer LabelEncoder TreeEnsemble OneHotEncoder Imputer
"""
MACHINE_LEARNING = _MACHINE_LEARNING.split()


def constant(name: str, values: object) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)


# A stump over column 0.
TREES: dict[str, object] = {
    "n_targets": 1,
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_hitrates": [1.0, 1.0, 1.0],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "nodes_missing_value_tracks_true": [0, 0, 0],
    "target_treeids": [0, 0],
    "target_nodeids": [1, 2],
    "target_ids": [0, 0],
    "target_weights": [1.0, 2.0],
}


def trees(**changes: object) -> onnx.NodeProto:
    return node("TreeEnsembleRegressor", "X", **(TREES | changes))


def _body(name: str = "body") -> onnx.GraphProto:
    """What a Loop does each time round: nothing."""
    values = [
        helper.make_tensor_value_info("round", TensorProto.INT64, []),
        helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        helper.make_tensor_value_info("value", TensorProto.FLOAT, [None, 4]),
    ]
    made = [
        helper.make_node("Identity", ["go"], ["go_on"]),
        helper.make_node("Identity", ["value"], ["next"]),
    ]
    outputs = [
        helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
        helper.make_tensor_value_info("next", TensorProto.FLOAT, [None, 4]),
    ]
    return helper.make_graph(made, name, values, outputs)


def spoiled(spoil: Callable[[ModelProto], object]) -> ModelProto:
    made = graph(node("Identity", "X"))
    spoil(made)
    return made


def _external(made: ModelProto, path: str) -> None:
    tensor = made.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=path)


def _external_constant(path: str) -> ModelProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.external_data.add(key="location", value=path)
    return graph(node("Constant", to="w", value=tensor), node("Add", "X", "w"))


def _function(made: ModelProto) -> None:
    opset = helper.make_opsetid("", 18)
    add = helper.make_node("Add", ["a", "a"], ["b"])
    made.functions.append(helper.make_function("d", "f", ["a"], ["b"], [add], [opset]))
    made.opset_import.append(helper.make_opsetid("d", 1))
    made.graph.node[0].op_type, made.graph.node[0].domain = "f", "d"


def _deep_attribute() -> ModelProto:
    body = _body()
    for _ in range(60):
        inner = helper.make_node("If", ["go"], ["x"], then_branch=body, else_branch=body)
        body = helper.make_graph([inner], "deep", [], body.output[:1])
        if body.ByteSize() > 1 << 20:
            break
    return graph(helper.make_node("If", ["X"], ["predict"], then_branch=body, else_branch=body))


def structures(bait: Bait) -> dict[str, ModelProto]:
    """Wrong as a file or as a graph."""
    true, many = constant("true", True), constant("many", 2**62)
    loop = helper.make_node("Loop", ["many", "true", "X"], ["predict"], body=_body())
    return {
        "a loop without end": graph(loop, constants=(true, many)),
        "a scan": graph(helper.make_node("Scan", ["X"], ["predict"], body=_body(), num_scan_inputs=1)),
        "an if": graph(helper.make_node("If", ["true"], ["predict"], then_branch=_body(), else_branch=_body()), constants=(true,)),
        "ifs in ifs": _deep_attribute(),
        "external data": spoiled(lambda made: _external(made, bait.secret)),
        "external data that climbs": spoiled(lambda made: _external(made, "../" * 9 + bait.secret)),
        "external data in a constant": _external_constant(bait.secret),
        "a function": spoiled(_function),
        "a foreign domain": spoiled(lambda made: made.opset_import.append(helper.make_opsetid("com.microsoft", 1))),
        "a custom operator": graph(helper.make_node("Own", ["X"], ["predict"], domain="own")),
        "an opset of 9000": spoiled(lambda made: setattr(made.opset_import[0], "version", 9000)),
        "an opset twice": spoiled(lambda made: made.opset_import.append(helper.make_opsetid("", 18))),
        "no opset": spoiled(lambda made: made.opset_import.__delitem__(slice(None))),
        "an IR of 2^62": spoiled(lambda made: setattr(made, "ir_version", 2**62)),
        "a configured runtime": spoiled(lambda made: made.metadata_props.add(key="ort_config", value="{}")),
        "metadata of a megabyte": spoiled(lambda made: made.metadata_props.add(key="a", value="x" * (1 << 20))),
        "training": spoiled(lambda made: made.training_info.add()),
        "a cycle": graph(node("Add", "X", "b", to="a"), node("Identity", "a", to="b"), node("Identity", "b")),
        "a value from nowhere": graph(node("Add", "X", "nowhere")),
        "a value twice": graph(node("Identity", "X"), node("Neg", "X")),
        "an initialiser that is an input": graph(node("Identity", "X"), constants=(constant("X", [1.0]),)),
        "an output nobody makes": graph(node("Identity", "X", to="other")),
        "no output": spoiled(lambda made: made.graph.output.pop()),
        "no node": spoiled(lambda made: made.graph.node.pop()),
        "six thousand nodes": graph(*(node("Identity", "X", to=f"v{n}") for n in range(6000)), node("Identity", "X")),
        "a name of a megabyte": spoiled(lambda made: made.graph.node[0].output.append("x" * (1 << 20))),
        "a name full of tricks": spoiled(lambda made: made.graph.node[0].output.append("<b>\u202e\x00")),
        "an input of 10^9 columns": spoiled(lambda made: setattr(made.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", 10**9)),
        "an input of nine dimensions": spoiled(lambda made: made.graph.input[0].type.tensor_type.shape.dim.extend([made.graph.input[0].type.tensor_type.shape.dim[1]] * 7)),
        "an input that is a sequence": spoiled(lambda made: made.graph.input[0].type.CopyFrom(helper.make_sequence_type_proto(made.graph.input[0].type))),
        "an output that is a map": spoiled(lambda made: made.graph.output[0].type.map_type.SetInParent()),
        "a sparse initialiser": spoiled(lambda made: made.graph.sparse_initializer.add()),
        "three thousand inputs": spoiled(lambda made: made.graph.input.extend([helper.make_tensor_value_info(f"i{n}", TensorProto.FLOAT, [None, 1]) for n in range(3000)])),
    }  # fmt: skip


def tensors(bait: Bait) -> dict[str, ModelProto]:
    """Constants that lie about what they take."""

    def with_tensor(**fields: object) -> ModelProto:
        tensor = TensorProto(name="w", **fields)
        return graph(node("Add", "X", "w"), constants=(tensor,))

    float_ = TensorProto.FLOAT
    return {
        "dimensions of 2^40": with_tensor(data_type=float_, dims=[2**40], raw_data=b"xxxx"),
        "dimensions whose product wraps": with_tensor(data_type=float_, dims=[2**32, 2**32], raw_data=b""),
        "a dimension of minus one": with_tensor(data_type=float_, dims=[-1], raw_data=b"xxxx"),
        "minus times minus": with_tensor(data_type=float_, dims=[-2, -2], raw_data=b"x" * 16),
        "a hundred dimensions": with_tensor(data_type=float_, dims=[1] * 100, raw_data=b"xxxx"),
        "fewer bytes than said": with_tensor(data_type=float_, dims=[1000], raw_data=b"xxxx"),
        "more bytes than said": with_tensor(data_type=float_, dims=[1], raw_data=b"x" * 4000),
        "data in two fields": with_tensor(data_type=float_, dims=[1], raw_data=b"xxxx", float_data=[1.0]),
        "data in another field": with_tensor(data_type=float_, dims=[1], int64_data=[1]),
        "a type of 999": with_tensor(data_type=999, dims=[1], raw_data=b"xxxx"),
        "a quantised type": with_tensor(data_type=TensorProto.UINT4, dims=[2], raw_data=b"x"),
        "a complex type": with_tensor(data_type=TensorProto.COMPLEX128, dims=[1], raw_data=b"x" * 16),
        "twenty million and one": with_tensor(data_type=TensorProto.BOOL, dims=[20_000_001], raw_data=bytes(20_000_001)),
        "a text of raw bytes": with_tensor(data_type=TensorProto.STRING, dims=[1], raw_data=b"xxxx"),
        "a segment": with_tensor(data_type=float_, dims=[1], raw_data=b"xxxx", segment=TensorProto.Segment(begin=0, end=1)),
    }  # fmt: skip


def operators(bait: Bait) -> dict[str, ModelProto]:
    """Operators with attributes out of range, or that make memory from a number."""
    tiny = constant("tiny", np.float32(1.0))

    def svm(**changes: object) -> ModelProto:
        attributes: dict[str, object] = {
            "classlabels_ints": [0, 1],
            "vectors_per_class": [1, 1],
            "coefficients": [1.0, -1.0],
            "rho": [0.0],
            "support_vectors": [1.0] * 8,
            "kernel_params": [1.0, 0.0, 1.0],
            "kernel_type": "RBF",
        }
        return graph(node("SVMClassifier", "X", **(attributes | changes)))

    def twice(name: str) -> ModelProto:
        made = graph(trees())
        made.graph.node[0].attribute.append(
            next(one for one in made.graph.node[0].attribute if one.name == name)
        )
        return made

    return {
        "trees: a column far away": graph(trees(nodes_featureids=[10**9, 0, 0])),
        "trees: column four of four": graph(trees(nodes_featureids=[4, 0, 0])),
        "trees: a column below zero": graph(trees(nodes_featureids=[-1, 0, 0])),
        "trees: a column on a leaf": graph(trees(nodes_featureids=[0, 10**9, 0])),
        "trees: a child far away": graph(trees(nodes_truenodeids=[10**6, 0, 0])),
        "trees: a child below zero": graph(trees(nodes_truenodeids=[-1, 0, 0])),
        "trees: a cycle": graph(trees(nodes_truenodeids=[0, 0, 0])),
        "trees: one child twice": graph(trees(nodes_falsenodeids=[1, 0, 0])),
        "trees: two roots": graph(trees(nodes_modes=["LEAF", "LEAF", "LEAF"])),
        "trees: a node twice": graph(trees(nodes_nodeids=[0, 1, 1])),
        "trees: a mode of its own": graph(trees(nodes_modes=["BRANCH_MAYBE", "LEAF", "LEAF"])),
        "trees: arrays of two lengths": graph(trees(nodes_values=[0.5])),
        "trees: short tracks": graph(trees(nodes_missing_value_tracks_true=[0])),
        "trees: target nine of one": graph(trees(target_ids=[9, 0])),
        "trees: a target below zero": graph(trees(target_ids=[-1, 0])),
        "trees: 10^9 targets": graph(trees(n_targets=10**9)),
        "trees: no target": graph(trees(n_targets=0)),
        "trees: a weight on a branch": graph(trees(target_nodeids=[0, 2])),
        "trees: a weight in another tree": graph(trees(target_treeids=[7, 0])),
        "trees: base values without end": graph(trees(base_values=[0.0] * 99)),
        "trees: an attribute twice": twice("nodes_treeids"),
        "trees: of another opset": graph(node("TreeEnsemble", "X", n_targets=1, tree_roots=[0])),
        "trees: numbers as text": graph(trees(nodes_treeids=["a", "b", "c"])),
        "trees: numbers as fractions": graph(trees(nodes_nodeids=[0.0, 1.0, 2.0])),
        "trees: no arrays": graph(node("TreeEnsembleRegressor", "X", n_targets=1)),
        "trees: over a value of unknown width": graph(
            node("Reshape", "X", "shape", to="r"),
            helper.make_node("TreeEnsembleRegressor", ["r"], ["predict"], domain="ai.onnx.ml"),
            constants=(constant("shape", [-1, 1]),),
        ),
        "a linear classifier without classes": graph(node("LinearClassifier", "X", coefficients=[1.0])),
        "a linear classifier of three halves": graph(node("LinearClassifier", "X", coefficients=[1.0] * 5, classlabels_ints=[0, 1])),
        "a linear regressor of 10^9 targets": graph(node("LinearRegressor", "X", coefficients=[1.0] * 4, targets=10**9)),
        "a linear regressor too short": graph(node("LinearRegressor", "X", coefficients=[1.0], targets=1)),
        "vectors below zero": svm(vectors_per_class=[-1, 3]),
        "vectors without end": svm(vectors_per_class=[2**31 - 1, 2**31 - 1]),
        "vectors of two lengths": svm(support_vectors=[1.0] * 7),
        "too few coefficients": svm(coefficients=[1.0]),
        "too many rho": svm(rho=[0.0, 0.0]),
        "vectors wider than the rows": svm(support_vectors=[1.0] * 800),
        "an SVM of no vectors": graph(node("SVMRegressor", "X", n_supports=-1, coefficients=[1.0], rho=[0.0])),
        "a scaler too long": graph(node("Scaler", "X", offset=[0.0] * 99, scale=[1.0] * 99)),
        "an extractor far away": graph(node("ArrayFeatureExtractor", "X", "i"), constants=(constant("i", [10**6]),)),
        "an extractor below zero": graph(node("ArrayFeatureExtractor", "X", "i"), constants=(constant("i", [-1]),)),
        "an extractor of fractions": graph(node("ArrayFeatureExtractor", "X", "i"), constants=(constant("i", [0.5]),)),
        "a gather far away": graph(node("Gather", "X", "i", axis=1), constants=(constant("i", [10**6]),)),
        "an expansion to 2^60": graph(node("Expand", "X", "s"), constants=(constant("s", [2**30, 2**30]),)),
        "a reshape to 2^60": graph(node("Reshape", "X", "s"), constants=(constant("s", [2**30, 2**30]),)),
        "an expansion to 2^60 by another name": graph(node("Constant", to="s", value_ints=[2**30, 2**30]), node("Expand", "X", "s")),
        "an expansion without a shape": graph(node("Expand", "X")),
        "an attribute nobody knows": graph(node("Softmax", "X", axis=1, secret=1)),
        "two constants in one": graph(node("Constant", to="s", value_int=1, value_float=1.0), node("Add", "X", "s")),
        "a list for a table": graph(
            node("MatMul", "X", "w", to="m"),
            helper.make_node("TreeEnsembleRegressor", ["m"], ["predict"], domain="ai.onnx.ml", **TREES),
            constants=(constant("w", np.ones(4, np.float32)),),
        ),
        "a table of no columns": graph(
            node("Gather", "X", "none", to="g", axis=1),
            node("Add", "g", "one", to="m"),
            helper.make_node("TreeEnsembleRegressor", ["m"], ["predict"], domain="ai.onnx.ml", **TREES),
            constants=(constant("none", np.zeros(0, np.int64)), constant("one", np.ones(1, np.float32))),
        ),
        "a vectorizer that claims too much": graph(
            node("FeatureVectorizer", "X", to="m", inputdimensions=[400]),
            helper.make_node("TreeEnsembleRegressor", ["m"], ["predict"], domain="ai.onnx.ml", **(TREES | {"nodes_featureids": [399, 0, 0]})),
        ),
        "a computed expansion": graph(
            node("ReduceMax", "X", to="m", keepdims=0),
            node("Add", "m", "big", to="b"),
            helper.make_node("Cast", ["b"], ["c"], to=TensorProto.INT64),
            node("Reshape", "c", "one", to="s"),
            node("Expand", "tiny", "s"),
            constants=(constant("big", np.float32(2**40)), constant("one", [1]), tiny),
        ),
        "a fill": graph(node("ConstantOfShape", "s"), constants=(constant("s", [2**40]),)),
        "a range": graph(node("Range", "a", "b", "c"), constants=(constant("a", 0), constant("b", 2**40), constant("c", 1))),
        "tiles": graph(node("Tile", "X", "s"), constants=(constant("s", [2**20, 2**20]),)),
        "a pad": graph(node("Pad", "X", "s"), constants=(constant("s", [0, 0, 2**40, 0]),)),
        "a one-hot of 2^40": graph(node("OneHot", "X", "d", "v"), constants=(constant("d", 2**40), constant("v", [0.0, 1.0]))),
        "random numbers": graph(helper.make_node("RandomNormal", [], ["predict"], shape=[2**20, 2**20])),
        "a division by zero": graph(
            helper.make_node("Cast", ["X"], ["c"], to=TensorProto.INT64),
            node("Div", "c", "z", to="d"),
            helper.make_node("Cast", ["d"], ["predict"], to=TensorProto.FLOAT),
            constants=(constant("z", 0),),
        ),
        "a remainder of a computed zero": graph(
            helper.make_node("Cast", ["X"], ["c"], to=TensorProto.INT64),
            node("Sub", "c", "c", to="z"),
            node("Mod", "c", "z", to="d"),
            helper.make_node("Cast", ["d"], ["predict"], to=TensorProto.FLOAT),
        ),
        "an outer product": graph(
            helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
            node("MatMul", "w", "t", to="wide"),
            node("ReduceSum", "wide"),
            constants=(constant("w", np.ones((1_000_000, 1), np.float32)),),
        ),
        "a concatenation that doubles": _doubling(),
        "an attribute by reference": _reference(),
        "an attribute without a type": _untyped(),
    }  # fmt: skip


def _doubling() -> ModelProto:
    """Forty times twice as wide as before."""
    nodes = [node("Concat", "X", "X", to="v0", axis=1)]
    nodes += [node("Concat", f"v{n}", f"v{n}", to=f"v{n + 1}", axis=1) for n in range(40)]
    return graph(*nodes, node("Identity", "v40"))


def _reference() -> ModelProto:
    made = graph(node("Softmax", "X", axis=1))
    made.graph.node[0].attribute[0].ref_attr_name = "axis"
    return made


def _untyped() -> ModelProto:
    made = graph(node("Softmax", "X", axis=1))
    made.graph.node[0].attribute[0].type = AttributeProto.UNDEFINED
    return made


def contents(bait: Bait) -> dict[str, bytes]:
    """No graphs at all."""
    whole = graph(node("Identity", "X")).SerializeToString()
    return {
        "an empty graph": b"",
        "a graph cut off": whole[:-20],
        "the runtime's own format": b"\x1c\x00\x00\x00ORTM" + bytes(200),
        "a pickle for a graph": b"\x80\x04N.",
        "a zip for a graph": b"PK\x03\x04" + bytes(100),
        "a graph of rubbish": b"\xff" * 1000,
        "a graph with a length of 2^62": b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x3f" + bytes(100),
        "a graph too deep": _nested(10_000),
        "a graph of empty nodes": b"\x08\x08" + _field(7, b"\x0a\x00" * 4_000_000),
        "a graph of 65 MiB": whole + _field(9, bytes(65 << 20)),
    }


def _field(number: int, content: bytes) -> bytes:
    size, length = b"", len(content)
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


def _nested(depth: int) -> bytes:
    """A graph in an attribute of a node of a graph, and so on."""
    made = b""
    for _ in range(depth):
        made = _field(1, _field(5, _field(6, made)))
    return b"\x08\x08" + _field(7, made)


GROUPS = (structures, tensors, operators)


def corpus(bait: Bait) -> dict[str, bytes]:
    """Every graph by its name."""
    made = {name: one for group in GROUPS for name, one in group(bait).items()}
    return {name: one.SerializeToString() for name, one in made.items()} | contents(bait)
