"""An uploaded graph brought to the form in which graphs are served: our inputs, our outputs."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from registry.runner.onnx_ports import Outputs, Port

# Taken as they come; other kinds are cast from double.
SERVED_KINDS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING)
SERVED_NUMBERS = SERVED_KINDS[:3]
LEAST_OPSET = 13
FLOAT = TensorProto.FLOAT
METHODS = ("predict", "predict_proba")
OURS = "mlplatform_"


def tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without what exporters add: constants listed as inputs, operator sets named twice or not.

    The operators that are let in mean the same in set 9 as in 7 and 8, which onnxmltools still
    writes; all but one (BatchNormalization).
    """
    normalizes = any(node.op_type == "BatchNormalization" for node in model.graph.node)
    for one in model.opset_import:
        if one.domain in ("", "ai.onnx") and one.version in (7, 8) and not normalizes:
            one.version = 9
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in constants]
    opsets = {(one.domain, one.version): one for one in model.opset_import}
    if len(inputs) < len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(inputs)
    if len(opsets) < len(model.opset_import):
        del model.opset_import[:]
        model.opset_import.extend(opsets.values())
    if not any(one.domain in ("", "ai.onnx") for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", LEAST_OPSET))
    return model


def normalized(
    model: onnx.ModelProto, ports: list[Port], outputs: Outputs, *, proba: bool
) -> bytes:
    """One matrix or one input a column; outputs predict and, if asked for, predict_proba.

    Any number of rows is let in, also where the exporter fixed it: whether the graph then
    answers alike is for others to judge.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    made.ClearField("metadata_props")
    graph = made.graph
    _rename_taken(graph)
    nodes = [node for node in graph.node if node.op_type != "ZipMap"]
    feeds = _take_columns(graph, ports)
    for name in ("value_info", "output", "node"):
        graph.ClearField(name)
    graph.node.extend([*feeds, *nodes])
    kinds = {one.name: one.type.tensor_type.elem_type for one in model.graph.output}
    # What a ZipMap takes is of this type.
    _answer(graph, "predict", outputs.predict, kinds[outputs.predict])
    if proba and outputs.scores:
        _answer(graph, "predict_proba", outputs.scores, kinds.get(outputs.scores, FLOAT))
    return made.SerializeToString()


def _answer(graph: onnx.GraphProto, method: str, value: str, kind: int) -> None:
    graph.node.append(helper.make_node("Identity", [_free(value)], [method]))
    graph.output.append(helper.make_tensor_value_info(method, kind, None))


def _rename_taken(graph: onnx.GraphProto) -> None:
    """Nothing inside is called as our outputs are."""
    for node in graph.node:
        node.input[:] = [_free(name) for name in node.input]
        node.output[:] = [_free(name) for name in node.output]
    for one in [*graph.initializer, *graph.input]:
        one.name = _free(one.name)


def _free(name: str) -> str:
    return f"{OURS}{name}" if name in METHODS else name


def _take_columns(graph: onnx.GraphProto, ports: list[Port]) -> list[onnx.NodeProto]:
    """New inputs where a port is none that is served; the nodes that make the port of them."""
    given = list(graph.input)
    graph.ClearField("input")
    nodes: list[onnx.NodeProto] = []
    for port, one in zip(ports, given, strict=True):
        is_matrix = len(ports) == 1 and port.kind in SERVED_NUMBERS
        if port.rank == 2 and (is_matrix or (port.width == 1 and port.kind in SERVED_KINDS)):
            one.type.tensor_type.shape.dim[0].Clear()
            graph.input.append(one)
        else:
            nodes += _make_port(graph, port, one.name, alone=len(ports) == 1)
    return nodes


def _make_port(
    graph: onnx.GraphProto, port: Port, name: str, *, alone: bool
) -> list[onnx.NodeProto]:
    kind = port.kind if port.kind in SERVED_KINDS else TensorProto.DOUBLE
    # Numbers of a single port come as one matrix.
    widths = [port.width] if alone and kind != TensorProto.STRING else [1] * port.width
    names = [f"{OURS}{name}_{index}" for index in range(len(widths))]
    for one, width in zip(names, widths, strict=True):
        graph.input.append(helper.make_tensor_value_info(one, kind, [None, width]))
    steps: list[tuple[str, list[str], dict]] = []
    if len(names) > 1:
        steps.append(("Concat", names, {"axis": 1}))
    if kind != port.kind:
        steps.append(("Cast", names[:1], {"to": port.kind}))
    if port.rank == 1:
        shape = numpy_helper.from_array(np.array([-1], dtype=np.int64), f"{OURS}{name}_shape")
        graph.initializer.append(shape)
        steps.append(("Reshape", names[:1], {}))
    return _chain(steps or [("Identity", names[:1], {})], name)


def _chain(steps: list[tuple[str, list[str], dict]], name: str) -> list[onnx.NodeProto]:
    """The steps one after the other; the last makes `name`."""
    nodes: list[onnx.NodeProto] = []
    for number, (operator, inputs, attributes) in enumerate(steps):
        given = [nodes[-1].output[0]] if nodes else list(inputs)
        if operator == "Reshape":
            given.append(f"{OURS}{name}_shape")
        made = name if number == len(steps) - 1 else f"{OURS}{name}_step_{number}"
        nodes.append(helper.make_node(operator, given, [made], **attributes))
    return nodes
