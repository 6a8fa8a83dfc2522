"""The gate's rules for constants: known types, honest sizes, nothing outside the file."""

import math

import numpy as np
import onnx
from onnx import TensorProto

from registry.runner.refusals import Refused

MAX_RANK = 8
MAX_ELEMENTS = 20_000_000
# A forest's thresholds are one long row: only the number of elements bounds it.
MAX_DIMENSION = MAX_ELEMENTS


class Limits:
    constant_bytes = 64 * 1024 * 1024


def refuse(reason: str) -> Refused:
    """The exception to raise: every rule of the gate ends in it."""
    return Refused("graph_refused", f"The graph is refused: {reason}.")


# Bytes of one element as raw data, and the field that holds it otherwise.
ELEMENTS = {
    TensorProto.FLOAT: (4, "float_data"),
    TensorProto.DOUBLE: (8, "double_data"),
    TensorProto.INT8: (1, "int32_data"),
    TensorProto.UINT8: (1, "int32_data"),
    TensorProto.INT32: (4, "int32_data"),
    TensorProto.INT64: (8, "int64_data"),
    TensorProto.BOOL: (1, "int32_data"),
    TensorProto.STRING: (0, "string_data"),
}
FIELDS = ("float_data", "double_data", "int32_data", "int64_data", "uint64_data", "string_data")


def check_tensor(tensor: onnx.TensorProto) -> None:
    """Raises Refused unless the tensor is whole, inside the file and of sane size."""
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        raise refuse(
            "a constant is kept outside the file; PyTorch writes one file with external_data=False"
        )
    if tensor.HasField("segment"):
        raise refuse("a constant is cut into segments")
    if tensor.data_type not in ELEMENTS:
        raise refuse("a constant has a type that is not allowed")
    _check_dimensions(list(tensor.dims))
    _check_content(tensor)


def constant_bytes(tensor: onnx.TensorProto) -> int:
    """What the tensor takes in memory."""
    if tensor.data_type == TensorProto.STRING:
        return sum(len(text) + 32 for text in tensor.string_data)
    return math.prod(tensor.dims) * ELEMENTS[tensor.data_type][0]


def values_of(tensor: onnx.TensorProto) -> np.ndarray:
    """A checked tensor as an array."""
    return onnx.numpy_helper.to_array(tensor)


def _check_dimensions(dimensions: list[int]) -> None:
    if len(dimensions) > MAX_RANK:
        raise refuse("a constant has too many dimensions")
    if any(not 0 <= one <= MAX_DIMENSION for one in dimensions):
        raise refuse("a constant has a dimension out of range")
    if math.prod(dimensions) > MAX_ELEMENTS:
        raise refuse("a constant has too many elements")


def _check_content(tensor: onnx.TensorProto) -> None:
    count = math.prod(tensor.dims)
    size, field = ELEMENTS[tensor.data_type]
    filled = [name for name in FIELDS if len(getattr(tensor, name))]
    if tensor.HasField("raw_data") and tensor.raw_data:
        filled.append("raw_data")
    if filled == ["raw_data"] and size:
        is_whole = len(tensor.raw_data) == count * size
    elif filled:
        is_whole = filled == [field] and len(getattr(tensor, field)) == count
    else:
        is_whole = count == 0
    if not is_whole:
        raise refuse("a constant's content does not fit its dimensions")
