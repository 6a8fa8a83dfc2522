"""Real graphs, spoiled at random: an answer, a refusal or the child's death, and nothing else."""

import os
import random
from collections import Counter
from functools import cache

import numpy as np
import onnx
import pytest

from registry.formats import GRAPH
from registry.rows import Rows
from registry.runner.gate import MACHINE_LEARNING, STANDARD
from registry.sandbox import ChildDied, ChildTimedOut, SandboxError
from tests import artifacts
from tests.registry.runner.reading import inspect

NAMES = ("logistic", "forest", "boosting_many", "vectors", "imputed_forest", "perceptron")
EACH = 60
SECONDS = 5.0
NUMBERS = (-(2**63), -(2**31), -1, 0, 1, 7, 2**16, 2**31 - 1, 2**31, 2**62, 2**63 - 1)
OPERATORS = (STANDARD + MACHINE_LEARNING).split()


@cache
def compiled(name):
    report, graphs = inspect(artifacts.dump(artifacts.fitted(name)))
    return report["signature"], report["methods"], graphs[0]


def some_bytes(model, chance):
    content = bytearray(model.SerializeToString())
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def a_number(model, chance):
    found = [
        one
        for node in model.graph.node
        for one in node.attribute
        if one.type in (onnx.AttributeProto.INT, onnx.AttributeProto.INTS)
    ]
    attribute = chance.choice(found)
    if attribute.type == onnx.AttributeProto.INT:
        attribute.i = chance.choice(NUMBERS)
    elif attribute.ints:
        attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(NUMBERS)


def a_float(model, chance):
    found = [one for node in model.graph.node for one in node.attribute if one.floats]
    if found:
        floats = chance.choice(found).floats
        floats[chance.randrange(len(floats))] = chance.choice([np.nan, np.inf, -np.inf, 1e38])


def a_length(model, chance):
    node = chance.choice([node for node in model.graph.node if node.attribute])
    attribute = chance.choice(node.attribute)
    for field in (attribute.ints, attribute.floats, attribute.strings):
        if field and chance.random() < 0.5:
            del field[len(field) // 2 :]
        elif field:
            field.extend(list(field))


def an_operator(model, chance):
    chance.choice(model.graph.node).op_type = chance.choice(OPERATORS)


def an_input(model, chance):
    node = chance.choice([node for node in model.graph.node if node.input])
    names = [name for one in model.graph.node for name in one.output]
    names += [one.name for one in model.graph.initializer]
    node.input[chance.randrange(len(node.input))] = chance.choice(names)


def a_dimension(model, chance):
    tensor = chance.choice(list(model.graph.initializer) or [onnx.TensorProto(dims=[1])])
    if tensor.dims:
        tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(NUMBERS)


def a_constant(model, chance):
    tensor = chance.choice(list(model.graph.initializer) or [onnx.TensorProto()])
    if tensor.raw_data:
        content = bytearray(tensor.raw_data)
        content[chance.randrange(len(content))] = chance.choice((0, 255))
        tensor.raw_data = bytes(content)


def an_attribute(model, chance):
    node = chance.choice([node for node in model.graph.node if node.attribute])
    del node.attribute[chance.randrange(len(node.attribute))]


def a_node(model, chance):
    del model.graph.node[chance.randrange(len(model.graph.node))]


SPOILING = (
    some_bytes,
    a_number,
    a_float,
    a_length,
    an_operator,
    an_input,
    a_dimension,
    a_constant,
    an_attribute,
    a_node,
)


def spoiled(graph, chance):
    model = onnx.ModelProto.FromString(graph)
    for _ in range(chance.randint(1, 2)):
        content = chance.choice(SPOILING)(model, chance)
        if content is not None:
            return content
    return model.SerializeToString()


@pytest.mark.parametrize("name", NAMES)
def test_a_spoiled_graph_harms_nobody(real_runner, name):
    signature, methods, graph = compiled(name)
    rows = Rows([np.zeros((3, len(signature["inputs"])))], 3)
    chance = random.Random(name)
    ends = Counter()
    host = real_runner.fresh_host(kind="graph")
    for number in range(EACH):
        end = _end(host, str(number), spoiled(graph, chance), signature, methods, rows)
        ends[end] += 1
        if end in (ChildDied.code, ChildTimedOut.code):
            host.close()
            host = real_runner.fresh_host(kind="graph")
    whole = _end(host, "whole", graph, signature, methods, rows)
    host.close()

    assert ends["unfit for people"] == 0
    assert ends["graph_refused"] > EACH // 3
    assert whole == "answered"


def _end(host, digest, content, signature, methods, rows):
    descriptor = os.memfd_create("graph")
    try:
        os.write(descriptor, content)
        host.load(digest, descriptor, fmt=GRAPH, signature=signature, deadline=SECONDS)
        host.predict(digest, rows, methods, deadline=SECONDS)
    except SandboxError as error:
        return error.code if error.reason.isprintable() else "unfit for people"
    finally:
        os.close(descriptor)
    return "answered"
