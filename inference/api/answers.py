"""What a prediction's answer says, in JSON's types."""

from typing import Any

from inference.api.bodies import Asked
from inference.pipeline import Answer, Understood


def body_of(asked: Asked, question: Understood, answer: Answer) -> dict[str, Any]:
    served = question.served
    return {
        **(_one(answer) if asked.is_single else _many(answer)),
        "model_id": served.model_id,
        "model": served.model_name,
        "model_version": served.version_number,
        "cached": answer.cached,
        "prediction_id": answer.prediction_id,
        "latency_ms": answer.latency_us / 1000,
        **({"warnings": answer.warnings} if answer.warnings else {}),
    }


def _one(answer: Answer) -> dict[str, Any]:
    probabilities = answer.probabilities[0] if answer.probabilities else None
    return {"prediction": answer.predictions[0], "probabilities": probabilities}


def _many(answer: Answer) -> dict[str, Any]:
    return {
        "predictions": answer.predictions,
        "probabilities": answer.probabilities,
        "cached_rows": answer.cached_rows,
    }
