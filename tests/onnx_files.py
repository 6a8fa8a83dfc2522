"""ONNX files as exporters write them, small, and some made by hand."""

from functools import cache
from typing import Any

import numpy as np
import onnx
import pandas as pd
import skl2onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx.common.data_types import (
    BooleanTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests import artifacts

COLUMNS = {
    "age": FloatTensorType([None, 1]),
    "city": StringTensorType([None, 1]),
    "kids": Int64TensorType([None, 1]),
    "rich": BooleanTensorType([None, 1]),
}


def exported(model: Any, kind: Any, *, name: str = "X", **options: Any) -> bytes:
    return skl2onnx.to_onnx(
        model, initial_types=[(name, kind)], options=options or None
    ).SerializeToString()


def households() -> pd.DataFrame:
    made = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": made.normal(50, 10, 300).astype(np.float32),
            "city": made.choice(["Bonn", "Oslo", "Rome"], 300),
            "kids": made.integers(0, 4, 300),
            "rich": made.random(300) > 0.5,
        }
    )


@cache
def household_model() -> Any:
    table = households()
    columns = make_column_transformer(
        (StandardScaler(), ["age", "kids"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ("passthrough", ["rich"]),
    )
    target = np.where((table.age > 50) ^ (table.city == "Rome") & table.rich, "yes", "no")
    return make_pipeline(columns, RandomForestClassifier(10, random_state=0)).fit(table, target)


def household_graph(*, zipmap: bool) -> bytes:
    """One input a column: float, string, integer, boolean."""
    return skl2onnx.to_onnx(
        household_model(), initial_types=list(COLUMNS.items()), options={"zipmap": zipmap}
    ).SerializeToString()


def perceptron(
    *,
    rows: int | str = "rows",
    outputs: tuple[str, ...] = ("scores",),
    lists_constants: bool = False,
) -> bytes:
    """Two layers as PyTorch exports them; outputs of scores, proba and label."""
    made = np.random.default_rng(0)
    weights = {"W": (8, 4), "B": (8,), "W2": (3, 8)}
    constants = [
        numpy_helper.from_array(made.normal(size=shape).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    nodes = [
        helper.make_node("Gemm", ["X", "W", "B"], ["hidden"], transB=1),
        helper.make_node("Relu", ["hidden"], ["predict"]),  # a name that is ours
        helper.make_node("Gemm", ["predict", "W2"], ["scores"], transB=1),
        helper.make_node("Softmax", ["scores"], ["proba"], axis=1),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    inputs = [value("X", TensorProto.FLOAT, [rows, 4])]
    if lists_constants:
        inputs += [value(one.name, one.data_type, list(one.dims)) for one in constants]
    kinds = {
        "scores": (TensorProto.FLOAT, [rows, 3]),
        "proba": (TensorProto.FLOAT, [rows, 3]),
        "label": (TensorProto.INT64, [rows]),
    }
    answers = [value(name, *kinds[name]) for name in outputs]
    return model(nodes, inputs, answers, constants)


def value(name: str, kind: int, shape: Any) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes: list, inputs: list, outputs: list, constants: Any = (), **opsets: int) -> bytes:
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants))
    versions = {"": 17, "ai.onnx.ml": 3, **opsets}
    imports = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString()


def plain_rows() -> np.ndarray:
    """Rows of iris, in the precision of the graphs."""
    return artifacts.held_out("logistic").astype(np.float32)
