from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry.runner import gate
from registry.runner.refusals import Refused
from tests import artifacts
from tests.registry.runner.reading import inspect

ROWS = helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, 4])
ANSWER = helper.make_tensor_value_info("predict", TensorProto.DOUBLE, None)


def model(*nodes: onnx.NodeProto, constants: list = (), **changes) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", [ROWS], [ANSWER], list(constants))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **changes)


def identity() -> onnx.ModelProto:
    return model(helper.make_node("Identity", ["X"], ["predict"]))


def real_trees() -> tuple[onnx.ModelProto, onnx.NodeProto]:
    """The graph of a forest, and its tree operator to be spoiled."""
    _, graphs = inspect(artifacts.dump(artifacts.fitted("forest_two_outputs")))
    made = onnx.ModelProto.FromString(graphs[0])
    node = next(one for one in made.graph.node if one.op_type == "TreeEnsembleRegressor")
    return made, node


def attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto:
    return next(one for one in node.attribute if one.name == name)


def refusal(graph: bytes) -> str:
    with pytest.raises(Refused) as caught:
        gate.check(graph)
    assert caught.value.code == "graph_refused"
    return caught.value.reason


def test_it_works():
    gate.check(identity().SerializeToString())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\x00\x00\x00\x00ORTM" + b"\x00" * 64, "runtime's own format"),
        (b"PK\x03\x04", "ZIP"),
        (b"\x80\x04", "pickle"),
        (b"\xff" * 100, "not ONNX"),
    ],
)
def test_it_refuses_other_files(content, said):
    assert said in refusal(content)


def test_it_refuses_a_graph_that_is_too_large(monkeypatch):
    monkeypatch.setattr(gate, "MAX_BYTES", 10)

    assert "MiB" in refusal(identity().SerializeToString())


def test_it_refuses_control_flow_and_fills():
    for operator in ("Loop", "If", "Scan", "ConstantOfShape", "Tile", "RandomNormal"):
        spoiled = model(helper.make_node(operator, ["X"], ["predict"]))
        assert operator in refusal(spoiled.SerializeToString())


def foreign_domain(made: onnx.ModelProto) -> None:
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def old_version(made: onnx.ModelProto) -> None:
    made.opset_import[0].version = 7


def ir_version(made: onnx.ModelProto) -> None:
    made.ir_version = 99


def functions(made: onnx.ModelProto) -> None:
    opset = helper.make_opsetid("", 18)
    made.functions.append(helper.make_function("d", "f", ["a"], ["b"], [], [opset]))


def runtime_configuration(made: onnx.ModelProto) -> None:
    made.metadata_props.add(key="ort_config", value="{}")


def external_data(made: onnx.ModelProto) -> None:
    tensor = made.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def lying_dimensions(made: onnx.ModelProto) -> None:
    made.graph.initializer.append(numpy_helper.from_array(np.zeros(4), "w"))
    made.graph.initializer[0].dims[0] = 400


def huge_dimensions(made: onnx.ModelProto) -> None:
    made.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[2**40])


def sparse(made: onnx.ModelProto) -> None:
    made.graph.sparse_initializer.add()


def wide_input(made: onnx.ModelProto) -> None:
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 10**9


def undefined_value(made: onnx.ModelProto) -> None:
    made.graph.node[0].input[0] = "nowhere"


def cycle(made: onnx.ModelProto) -> None:
    made.graph.node[0].input[0] = "b"
    made.graph.node.append(helper.make_node("Identity", ["predict"], ["b"]))


def defined_twice(made: onnx.ModelProto) -> None:
    made.graph.node.append(helper.make_node("Identity", ["X"], ["predict"]))


def no_output(made: onnx.ModelProto) -> None:
    made.graph.node[0].output[0] = "other"


def markup_in_a_name(made: onnx.ModelProto) -> None:
    made.graph.node[0].output[0] = "<script>"


def graph_in_an_attribute(made: onnx.ModelProto) -> None:
    made.graph.node[0].attribute.append(helper.make_attribute("body", made.graph))


def many_nodes(made: onnx.ModelProto) -> None:
    made.graph.node.extend([helper.make_node("Identity", ["X"], [f"v{n}"]) for n in range(5000)])


SPOILED: dict[Callable, str] = {
    foreign_domain: "domain",
    old_version: "version 7",
    ir_version: "IR version",
    functions: "functions",
    runtime_configuration: "configures the runtime",
    external_data: "outside the file",
    lying_dimensions: "does not fit its dimensions",
    huge_dimensions: "dimension",
    sparse: "sparse",
    wide_input: "too wide",
    undefined_value: "before that is defined",
    cycle: "before that is defined",
    defined_twice: "twice",
    no_output: "nothing makes its output",
    markup_in_a_name: "characters",
    graph_in_an_attribute: "attribute",
    many_nodes: "nodes",
}


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda one: one.__name__)
def test_it_refuses_a_spoiled_graph(spoil):
    made = identity()
    spoil(made)

    assert SPOILED[spoil] in refusal(made.SerializeToString())


def feature_out_of_range(node: onnx.NodeProto) -> None:
    attribute(node, "nodes_featureids").ints[0] = 10


def negative_feature(node: onnx.NodeProto) -> None:
    attribute(node, "nodes_featureids").ints[0] = -1


def child_out_of_range(node: onnx.NodeProto) -> None:
    attribute(node, "nodes_truenodeids").ints[0] = 10**6


def looping_child(node: onnx.NodeProto) -> None:
    attribute(node, "nodes_truenodeids").ints[0] = 0


def shared_child(node: onnx.NodeProto) -> None:
    edges = attribute(node, "nodes_falsenodeids")
    edges.ints[0] = attribute(node, "nodes_truenodeids").ints[0]


def unknown_mode(node: onnx.NodeProto) -> None:
    attribute(node, "nodes_modes").strings[0] = b"BRANCH_MAYBE"


def short_array(node: onnx.NodeProto) -> None:
    del attribute(node, "nodes_modes").strings[-1]


def target_out_of_range(node: onnx.NodeProto) -> None:
    attribute(node, "target_ids").ints[0] = 2


def weight_on_a_branch(node: onnx.NodeProto) -> None:
    attribute(node, "target_nodeids").ints[0] = 0


def many_targets(node: onnx.NodeProto) -> None:
    attribute(node, "n_targets").i = 10**9


@pytest.mark.parametrize(
    "spoil",
    [
        feature_out_of_range,
        negative_feature,
        child_out_of_range,
        looping_child,
        shared_child,
        unknown_mode,
        short_array,
        target_out_of_range,
        weight_on_a_branch,
        many_targets,
    ],
    ids=lambda one: one.__name__,
)
def test_it_refuses_spoiled_trees(spoil):
    made, node = real_trees()
    gate.check(made.SerializeToString())
    spoil(node)

    assert "tree" in refusal(made.SerializeToString())


def test_it_refuses_an_integer_division_by_zero():
    zero = numpy_helper.from_array(np.array([0]), "zero")
    spoiled = model(helper.make_node("Div", ["X", "zero"], ["predict"]), constants=[zero])

    assert "by zero" in refusal(spoiled.SerializeToString())


def test_it_refuses_a_name_that_is_no_text():
    content = identity().SerializeToString().replace(b"predict", b"pred\xffct")

    assert "no text" in refusal(content)


def test_it_refuses_two_versions_of_the_standard():
    made = identity()
    made.opset_import.append(helper.make_opsetid("ai.onnx", 17))

    assert "twice" in refusal(made.SerializeToString())


def test_it_refuses_attributes_the_operator_does_not_have():
    made = model(helper.make_node("Softmax", ["X"], ["predict"], axis=1, speed=2))

    assert "has no attribute 'speed'" in refusal(made.SerializeToString())


def test_it_refuses_attributes_of_another_kind():
    made = model(helper.make_node("Softmax", ["X"], ["predict"], axis=[1]))

    assert "of the wrong kind" in refusal(made.SerializeToString())


def test_it_refuses_inputs_the_operator_does_not_have():
    made = model(helper.make_node("Expand", ["X"], ["predict"]))

    assert "Expand has 1 inputs" in refusal(made.SerializeToString())


def test_a_list_is_no_table():
    """Of a product with a list the runtime would take the rows for columns."""
    made, node = real_trees()
    weights = numpy_helper.from_array(np.ones(10), "weights")
    made.graph.initializer.append(weights)
    place = list(made.graph.node).index(node)
    made.graph.node.insert(place, helper.make_node("MatMul", [node.input[0], "weights"], ["list"]))
    made.graph.node[place + 1].input[0] = "list"

    assert "unknown width" in refusal(made.SerializeToString())
