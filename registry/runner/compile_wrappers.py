"""Models around other models: calibrated, one against the rest, chains, thresholds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn import calibration, compose, model_selection, multiclass, multioutput

from registry.runner.compile_curves import interpolated, inverse
from registry.runner.compile_models import Answer, above, several_labels, shares, two_sided
from registry.runner.compile_vectors import one_against_one
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled

Compile = Callable[[GraphBuilder, Any, Features], Answer]


def calibrated(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    """The mean of calibrated classifiers; each class calibrated against the rest."""
    parts = [
        _calibrated_part(graph, one, inputs, compile_part) for one in model.calibrated_classifiers_
    ]
    proba = parts[0]
    for part in parts[1:]:
        proba = graph.add("Add", proba, part)
    proba = graph.add("Div", proba, graph.constant(float(len(parts))))
    return Answer(graph.argmax(proba), proba)


def _calibrated_part(graph: GraphBuilder, one: Any, inputs: Features, compile_part: Compile) -> str:
    answer = compile_part(graph, one.estimator, inputs)
    count = len(one.classes)
    if len(one.estimator.classes_) != count:
        raise NotCompiled("a calibrated classifier that has not seen each class")
    if one.method == "temperature":
        return _tempered(graph, one, answer, count)
    given = _decision(graph, one.estimator, answer)
    columns = [
        _calibration(graph, curve, graph.column(given, at, len(one.calibrators)))
        for at, curve in enumerate(one.calibrators)
    ]
    if count == 2:
        return two_sided(graph, columns[0])
    return _at_most_one(graph, shares(graph, graph.concat(columns), count))


def _decision(graph: GraphBuilder, model: Any, answer: Answer) -> str:
    """The decision function, else the probability: one column where there are two classes."""
    if hasattr(model, "decision_function"):
        if answer.scores is None:
            raise NotCompiled(f"the decision function of {type(model).__name__}")
        return answer.scores
    if answer.proba is None:
        raise NotCompiled(f"the probabilities of {type(model).__name__}")
    return graph.column(answer.proba, 1, 2) if len(model.classes_) == 2 else answer.proba


def _calibration(graph: GraphBuilder, curve: Any, value: str) -> str:
    if hasattr(curve, "a_"):
        scaled = graph.add("Mul", value, graph.constant(float(curve.a_)))
        return graph.add(
            "Sigmoid", graph.add("Neg", graph.add("Add", scaled, graph.constant(float(curve.b_))))
        )
    return isotonic_curve(graph, curve, value)


def isotonic_curve(graph: GraphBuilder, curve: Any, value: str) -> str:
    """An IsotonicRegression that clips, of (rows, 1)."""
    if curve.out_of_bounds != "clip":
        raise NotCompiled("IsotonicRegression that answers nothing out of its range")
    return interpolated(graph, value, curve.X_thresholds_, curve.y_thresholds_)


def _at_most_one(graph: GraphBuilder, proba: str) -> str:
    return graph.add("Min", proba, graph.constant(1.0))


def _tempered(graph: GraphBuilder, one: Any, answer: Answer, count: int) -> str:
    if hasattr(one.estimator, "decision_function"):
        logits = _decision(graph, one.estimator, answer)
        if count == 2:
            logits = graph.concat([graph.add("Neg", logits), logits])
    elif answer.proba is not None:
        logits = graph.add("Log", graph.add("Add", answer.proba, graph.constant(1e-12)))
    else:
        raise NotCompiled("these probabilities")
    beta = graph.constant(float(one.calibrators[0].beta_))
    return graph.add("Softmax", graph.add("Mul", logits, beta), axis=1)


def threshold(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    """FixedThresholdClassifier and TunedThresholdClassifierCV."""
    inner = getattr(model, "estimator_", None) or model.estimator
    answer = compile_part(graph, inner, inputs)
    asked = model.response_method
    by_proba = asked == "predict_proba" or (asked == "auto" and hasattr(inner, "predict_proba"))
    positive = model.classes_[1] if model_label(model) is None else model_label(model)
    second = bool(positive == model.classes_[1])
    if by_proba:
        if answer.proba is None:
            raise NotCompiled("these probabilities")
        score = graph.column(answer.proba, int(second), 2)
    elif answer.scores is not None:
        score = answer.scores if second else graph.add("Neg", answer.scores)
    else:
        raise NotCompiled("this decision function")
    limit = getattr(model, "best_threshold_", getattr(model, "threshold", "auto"))
    limit = (0.5 if by_proba else 0.0) if isinstance(limit, str) else float(limit)
    reached = graph.add("GreaterOrEqual", score, graph.constant(limit))
    is_second = graph.squeezed(graph.integer(reached))
    if not second:
        is_second = graph.add("Sub", graph.constant(1, np.int64), is_second)
    return Answer(is_second, answer.proba, scores=answer.scores)


def model_label(model: Any) -> Any:
    """The label a threshold is for, where it is not the second."""
    known = getattr(model, "pos_label", None)
    scorer = getattr(model, "_curve_scorer", None)
    return known if scorer is None else getattr(scorer, "_kwargs", {}).get("pos_label")


def transformed_target(
    graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile
) -> Answer:
    answer = compile_part(graph, model.regressor_, inputs)
    if answer.value is None:
        raise NotCompiled("a transformed target that is no number")
    return Answer(value=inverse(graph, model.transformer_, answer.value))


def one_against_rest(
    graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile
) -> Answer:
    parts = model.estimators_
    if any(not hasattr(part, "classes_") or len(part.classes_) != 2 for part in parts):
        raise NotCompiled("one-vs-rest with a class that is always or never seen")
    answers = [compile_part(graph, part, inputs) for part in parts]
    scores = graph.concat(
        [_decision(graph, part, one) for part, one in zip(parts, answers, strict=True)]
    )
    limit = 0.0 if hasattr(parts[0], "decision_function") else 0.5
    proba = _rest_probabilities(graph, model, answers)
    if model.multilabel_:
        found = several_labels(graph, scores, len(parts), limit)
        return replace(found, proba=proba)
    own = scores if hasattr(parts[0], "decision_function") else None
    if len(parts) == 1:
        return Answer(above(graph, scores, limit), proba, scores=own)
    return Answer(graph.argmax(scores), proba, scores=own)


def _rest_probabilities(graph: GraphBuilder, model: Any, answers: list[Answer]) -> str | None:
    seconds = [None if one.proba is None else graph.column(one.proba, 1, 2) for one in answers]
    known = [one for one in seconds if one is not None]
    if len(known) < len(seconds):
        return None
    if len(known) == 1:
        return two_sided(graph, known[0])
    proba = graph.concat(known)
    if model.multilabel_:
        return proba
    total = graph.total(proba)
    nothing = graph.add("Equal", total, graph.constant(0.0))
    return graph.add("Div", proba, graph.add("Where", nothing, graph.constant(1.0), total))


def one_pair_each(
    graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile
) -> Answer:
    """OneVsOneClassifier: every pair's second class is its positive one."""
    parts, count = model.estimators_, len(model.classes_)
    if any(len(getattr(part, "classes_", ())) != 2 for part in parts) or model.pairwise_indices_:
        raise NotCompiled("one-vs-one of other than plain classifiers")
    answers = [compile_part(graph, part, inputs) for part in parts]
    confidences = [_decision(graph, part, one) for part, one in zip(parts, answers, strict=True)]
    if count == 2:
        limit = 0.0 if hasattr(parts[0], "decision_function") else 0.5
        return Answer(above(graph, confidences[0], limit))
    second = [graph.one_hot(one.index or "", 2) for one in answers]
    losses = graph.concat([graph.column(one, 1, 2) for one in second])
    scores = one_against_one(
        graph, graph.add("Neg", graph.concat(confidences)), count, second=losses
    )
    return Answer(graph.argmax(scores), scores=scores)


def output_code(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    given = graph.concat([_bit(graph, part, inputs, compile_part) for part in model.estimators_])
    codes = np.asarray(model.code_book_, dtype=float)
    products = graph.add("MatMul", given, graph.constant(2 * codes.T))
    nearness = graph.add("Sub", products, graph.constant((codes**2).sum(axis=1)))
    return Answer(graph.argmax(nearness))


def _bit(graph: GraphBuilder, part: Any, inputs: Features, compile_part: Compile) -> str:
    if hasattr(part, "y_") and not hasattr(part, "classes_"):  # a bit that all classes share
        return graph.add("Mul", graph.ones(inputs), graph.constant(float(np.ravel(part.y_)[0])))
    return _decision(graph, part, compile_part(graph, part, inputs))


def each_output(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    """MultiOutputRegressor and MultiOutputClassifier."""
    answers = [compile_part(graph, part, inputs) for part in model.estimators_]
    if all(one.value is not None for one in answers):
        return Answer(value=graph.concat([one.value or "" for one in answers]))
    indexes = [one.index for one in answers if one.index is not None]
    probas = [one.proba for one in answers if one.proba is not None]
    if len(indexes) < len(answers):
        raise NotCompiled("several outputs of different kinds")
    classes = [part.classes_ for part in model.estimators_]
    return Answer(
        indexes=indexes,
        probas=probas if len(probas) == len(answers) else None,
        classes=classes,
    )


def chained(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    """RegressorChain and ClassifierChain: each answer is one more input of the next."""
    if getattr(model, "chain_method_", "predict") != "predict":
        raise NotCompiled("a chain of probabilities")
    given, answers = list(inputs), []
    for part in model.estimators_:
        answer = compile_part(graph, part, given)
        answers.append(answer)
        given = given + graph.features(_passed_on(graph, part, answer), 1)
    order = np.argsort(model.order_)
    if answers[0].value is not None:
        return Answer(value=graph.concat([answers[at].value or "" for at in order]))
    labels = graph.concat([_passed_on(graph, model.estimators_[at], answers[at]) for at in order])
    probas = [answers[at].proba for at in order]
    known = [graph.column(one, 1, 2) for one in probas if one is not None]
    return Answer(value=labels, proba=graph.concat(known) if len(known) == len(probas) else None)


def _passed_on(graph: GraphBuilder, part: Any, answer: Answer) -> str:
    if answer.value is not None:
        return answer.value
    labels = np.asarray(part.classes_)
    if answer.index is None or labels.dtype.kind not in "iufb":
        raise NotCompiled("a chain of labels that are no numbers")
    column = graph.add("Reshape", answer.index, graph.constant([-1, 1], np.int64))
    return graph.add("Gather", graph.constant(labels.astype(float)), column, axis=0)


COMPOSITES: dict[type, Callable[[GraphBuilder, Any, Features, Compile], Answer]] = {
    calibration.CalibratedClassifierCV: calibrated,
    compose.TransformedTargetRegressor: transformed_target,
    model_selection.FixedThresholdClassifier: threshold,
    model_selection.TunedThresholdClassifierCV: threshold,
    multiclass.OneVsRestClassifier: one_against_rest,
    multiclass.OneVsOneClassifier: one_pair_each,
    multiclass.OutputCodeClassifier: output_code,
    multioutput.MultiOutputRegressor: each_output,
    multioutput.MultiOutputClassifier: each_output,
    multioutput.RegressorChain: chained,
    multioutput.ClassifierChain: chained,
}
