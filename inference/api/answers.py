"""What a prediction's answer says, in JSON's types."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from inference.api.shapes import Asked
from inference.pipeline import Answer, Understood


def body_of(asked: Asked, question: Understood, answer: Answer) -> dict[str, Any]:
    served = question.served
    if asked.top_k is not None and answer.probabilities:
        likeliest = [_likeliest(odds, asked.top_k) for odds in answer.probabilities]
        answer = replace(answer, probabilities=likeliest)
    return {
        **(_one(answer) if asked.is_single else _many(answer)),
        "model_id": served.model_id,
        "model": served.model_name,
        "model_version": served.version_number,
        "cached": answer.cached,
        "prediction_id": answer.prediction_id,
        "latency_ms": answer.latency_us / 1000,
        **({"warnings": _placed(asked, answer.warnings)} if answer.warnings else {}),
    }


def _placed(asked: Asked, warnings: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{**one, "pointer": asked.where(one["pointer"])} for one in warnings]


def _likeliest(odds: Any, count: int) -> Any:
    """The first `count` classes, the likeliest first; of each output where there are several."""
    if isinstance(odds, list):
        return [_likeliest(one, count) for one in odds]
    ranked = sorted(odds.items(), key=lambda item: -(item[1] or 0.0))
    return dict(ranked[:count])


def _one(answer: Answer) -> dict[str, Any]:
    probabilities = answer.probabilities[0] if answer.probabilities else None
    return {"prediction": answer.predictions[0], "probabilities": probabilities}


def _many(answer: Answer) -> dict[str, Any]:
    return {
        "predictions": answer.predictions,
        "probabilities": answer.probabilities,
        "cached_rows": answer.cached_rows,
    }
