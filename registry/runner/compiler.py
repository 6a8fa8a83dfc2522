"""A fitted estimator to ONNX graphs that answer exactly as it does.

Our own float64 translation comes first: every input stays float64, and trees compare
as scikit-learn does. What it does not know goes to skl2onnx. Whether a graph really
answers alike is judged elsewhere, on rows made by the trusted side.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.tree._tree import Tree

from registry.runner import (
    compile_boosters,
    compile_columns,
    compile_curves,
    compile_distances,
    compile_ensembles,
    compile_kernels,
    compile_models,
    compile_scalers,
    compile_vectors,
    compile_wrappers,
    gate,
)
from registry.runner.columns import takes_text, unwrapped_once
from registry.runner.compile_columns import select
from registry.runner.compile_models import Answer
from registry.runner.facts import clean
from registry.runner.graph_builder import ML_OPSET, OPSET, Features, GraphBuilder
from registry.runner.loading import nested
from registry.runner.not_compiled import NotCompiled
from registry.runner.open_onnx import OnnxModel
from registry.runner.refusals import Refused
from registry.runner.sessions import open_session
from registry.runner.signature_reader import Reading

TRANSFORMERS = (
    compile_scalers.TRANSFORMERS
    | compile_curves.TRANSFORMERS
    | compile_columns.TRANSFORMERS
    | compile_distances.TRANSFORMERS
    | compile_kernels.TRANSFORMERS
)
MODELS = (
    compile_models.MODELS
    | compile_vectors.MODELS
    | compile_curves.MODELS
    | compile_distances.MODELS
    | compile_kernels.MODELS
    | compile_ensembles.MODELS
    | compile_boosters.MODELS
)
COMPOSITES = compile_ensembles.COMPOSITES | compile_wrappers.COMPOSITES
TAKE_STRINGS = compile_ensembles.TAKE_STRINGS + compile_boosters.TAKE_STRINGS


# As many as fit into the bytes that the gate lets pass; making a larger graph takes minutes.
MAX_TREE_NODES = 1_800_000


@dataclass
class Compiled:
    """Candidate graphs, best first, or why there is none."""

    graphs: list[bytes] = field(default_factory=list)
    precisions: list[str] = field(default_factory=list)
    reason: str | None = None


def compile_estimator(reading: Reading) -> Compiled:
    """Never raises: a model that does not compile is served as it is."""
    compiled, reasons = Compiled(), []
    count = _tree_nodes(reading.predictor.estimator)
    if count > MAX_TREE_NODES:
        compiled.reason = (
            f"Served as uploaded: its trees have {count:,} nodes, and a graph has room for "
            f"{MAX_TREE_NODES:,}."
        )
        return compiled
    for precision, attempt in _attempts(reading):
        try:
            _add(compiled, precision, attempt(reading))
        except Exception as error:
            reasons.append(_reason(error))
            if isinstance(error, MemoryError):
                break  # the others take more
            continue
        # Our own graph needs no second opinion but the coarser one.
        break
    if not compiled.graphs:
        compiled.reason = clean(f"Served as uploaded: {reasons[0]}.")
    return compiled


def _tree_nodes(estimator: Any) -> int:
    trees = (getattr(part, "tree_", None) for part in nested(estimator))
    return sum(int(tree.node_count) for tree in trees if isinstance(tree, Tree))


def _attempts(reading: Reading) -> list[tuple[str, Callable[[Reading], bytes]]]:
    estimator = reading.predictor.estimator
    if isinstance(estimator, OnnxModel):
        return [(estimator.precision, lambda _: estimator.as_served())]
    return [
        ("float64", compile_exactly),
        ("float64", _convert_double),
        ("float32", _convert_float),
    ]


def _add(compiled: Compiled, precision: str, graph: bytes) -> None:
    gate.check(graph)
    open_session(graph)
    compiled.graphs.append(graph)
    compiled.precisions.append(precision)


def _reason(error: Exception) -> str:
    if isinstance(error, NotCompiled):
        return f"there is no exact graph for {error}"
    if isinstance(error, MemoryError):
        return "making its graph needs more memory than allowed"
    if isinstance(error, Refused):
        return error.reason.rstrip(".")
    return f"it does not convert to a graph ({type(error).__name__}: {str(error)[:150]})"


def compile_exactly(reading: Reading) -> bytes:
    """Our own float64 graph. Raises NotCompiled where there is none."""
    estimator = _plain(reading.predictor.estimator)
    if takes_text(estimator):
        raise NotCompiled("text vectorizers")
    graph = GraphBuilder()
    answer = _compile_model(graph, estimator, _inputs(graph, reading))
    return graph.serialize(_outputs(graph, answer, estimator, reading))


def _plain(estimator: Any) -> Any:
    """Inside all wrappers but those that change the answers."""
    if type(estimator) in COMPOSITES:
        return estimator
    inner = unwrapped_once(estimator)
    return estimator if inner is None else _plain(inner)


def _inputs(graph: GraphBuilder, reading: Reading) -> Features:
    if not any(column.dtype == "string" for column in reading.columns):
        return graph.input("X", len(reading.columns))
    features: Features = []
    for index, column in enumerate(reading.columns):
        features += graph.input(f"x{index}", 1, is_string=column.dtype == "string")
    return features


def _outputs(
    graph: GraphBuilder, answer: Answer, estimator: Any, reading: Reading
) -> dict[str, tuple[str, int]]:
    outputs = {}
    if answer.indexes is not None:
        known = zip(answer.indexes, answer.classes, strict=True)
        parts = [_labelled(graph, one, np.asarray(labels), column=True) for one, labels in known]
        if len({kind for _, kind in parts}) > 1:
            raise NotCompiled("labels of different kinds")
        outputs["predict"] = (graph.concat([value for value, _ in parts]), parts[0][1])
    elif answer.index is not None:
        labels = _labels(estimator) if answer.classes is None else answer.classes
        outputs["predict"] = _labelled(graph, answer.index, np.asarray(labels))
    elif answer.value is not None:
        outputs["predict"] = (answer.value, TensorProto.DOUBLE)
    if "predict_proba" in reading.methods:
        if answer.proba is None and answer.probas is None:
            raise NotCompiled("these probabilities")
        # Of several outputs they are side by side; whoever serves the graph knows their widths.
        proba = answer.proba or graph.concat(answer.probas or [])
        outputs["predict_proba"] = (proba, TensorProto.DOUBLE)
    return outputs


def _labelled(
    graph: GraphBuilder, index: str, labels: np.ndarray, *, column: bool = False
) -> tuple[str, int]:
    is_text = labels.dtype.kind in "OUS"
    constant = graph.constant(labels, object if is_text else np.int64)
    if column:
        index = graph.add("Reshape", index, graph.constant([-1, 1], np.int64))
    kind = TensorProto.STRING if is_text else TensorProto.INT64
    return graph.add("Gather", constant, index, axis=0), kind


def _labels(estimator: Any) -> Any:
    if hasattr(estimator, "classes_"):
        return estimator.classes_
    return np.array([1, -1])  # outlier detectors: inlier, outlier


def _compile_model(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    model = _plain(model)
    kind = type(model)
    if hasattr(model, "steps"):
        *steps, (_, last) = model.steps
        for _, step in steps:
            inputs = _transform(graph, step, inputs)
        inputs = compile_boosters.as_given(graph, [step for _, step in steps], last, inputs)
        return _compile_model(graph, last, inputs)
    if kind in COMPOSITES:
        # A part's number may be just where the next one steps.
        graph.is_fine = graph.is_fine or kind not in compile_ensembles.MEANS
        return COMPOSITES[kind](graph, model, inputs, _compile_model)
    if kind not in MODELS:
        raise NotCompiled(kind.__name__)
    if any(one.is_string for one in inputs) and kind not in TAKE_STRINGS:
        raise NotCompiled(f"{kind.__name__} on strings")
    compiler = MODELS[kind]
    return compiler(graph, model, inputs)


def _transform(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return inputs
    if hasattr(step, "steps"):
        for _, inner in step.steps:
            inputs = _transform(graph, inner, inputs)
        return inputs
    if hasattr(step, "_transformer_to_input_indices"):
        return _transform_table(graph, step, inputs)
    if type(step).__name__ == "FeatureUnion":
        return _transform_union(graph, step, inputs)
    if hasattr(step, "get_support") and type(step).__module__.startswith("sklearn."):
        return select(graph, step, inputs)
    if type(step) not in TRANSFORMERS:
        raise NotCompiled(type(step).__name__)
    return TRANSFORMERS[type(step)](graph, step, inputs)


def _transform_table(graph: GraphBuilder, table: Any, inputs: Features) -> Features:
    made: Features = []
    for name, step, _ in table.transformers_:
        given = [inputs[at] for at in table._transformer_to_input_indices.get(name, [])]
        if given and not (isinstance(step, str) and step == "drop"):
            part = _transform(graph, step, given)
            weight = (table.transformer_weights or {}).get(name, 1)
            made += part if weight == 1 else _weighted(graph, part, weight)
    return made


def _transform_union(graph: GraphBuilder, union: Any, inputs: Features) -> Features:
    made: Features = []
    for name, step in union.transformer_list:
        if isinstance(step, str) and step == "drop":
            continue
        part = _transform(graph, step, inputs)
        weight = (union.transformer_weights or {}).get(name, 1)
        made += part if weight == 1 else _weighted(graph, part, weight)
    return made


def _weighted(graph: GraphBuilder, part: Features, weight: float) -> Features:
    value = graph.add("Mul", graph.matrix(part), graph.constant(float(weight)))
    return graph.features(value, len(part))


def _convert_double(reading: Reading) -> bytes:
    return _convert(reading, DoubleTensorType)


def _convert_float(reading: Reading) -> bytes:
    return _convert(reading, FloatTensorType)


def _convert(reading: Reading, number: type) -> bytes:
    """skl2onnx's graph, its outputs named as ours. Raises what the converter raises."""
    estimator = _plain(reading.predictor.estimator)
    options = {id(estimator): {"zipmap": False}} if "predict_proba" in reading.methods else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = to_onnx(
            estimator,
            initial_types=_initial_types(reading, number),
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
            options=options,
        )
    _rename_outputs(model, reading.methods)
    return model.SerializeToString()


def _initial_types(reading: Reading, number: type) -> list[tuple[str, Any]]:
    columns = reading.columns
    if not any(column.dtype == "string" for column in columns):
        return [("X", number([None, len(columns)]))]
    return [
        (column.name, (StringTensorType if column.dtype == "string" else number)([None, 1]))
        for column in columns
    ]


def _rename_outputs(model: onnx.ModelProto, methods: list[str]) -> None:
    """Keep the label and, where served, the probabilities; under our names."""
    kept = dict(zip([one.name for one in model.graph.output], methods, strict=False))
    if len(kept) < len(methods):
        raise NotCompiled("all of its methods")
    outputs = [one for one in model.graph.output if one.name in kept]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    for one in model.graph.output:
        model.graph.node.append(onnx.helper.make_node("Identity", [one.name], [kept[one.name]]))
        one.name = kept[one.name]
