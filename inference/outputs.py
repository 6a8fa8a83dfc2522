"""What a model answers, as plain Python: one `RowAnswer` a row. No framework in here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from registry.signature import Signature, label_key

# A prediction and, where the model has them, its probabilities: a mapping from label to number,
# or a list of such mappings where the model has several outputs.
RowAnswer = tuple[Any, Any]


def to_answers(signature: Signature, outputs: Mapping[str, Any]) -> list[RowAnswer]:
    """The model's arrays cut into rows. What JSON cannot say (NaN, infinity) becomes None."""
    predictions = _plain(outputs["predict"])
    if "predict_proba" not in outputs:
        return [(prediction, None) for prediction in predictions]
    classes = signature.outputs["predict_proba"]["classes"]
    return list(zip(predictions, _labelled(outputs["predict_proba"], classes), strict=True))


def _labelled(output: Any, classes: Sequence[Sequence[Any]]) -> list[Any]:
    """Each row's probabilities under their class labels."""
    if not isinstance(output, list):
        return _mappings(output, classes[0])
    of_outputs = [_mappings(part, labels) for part, labels in zip(output, classes, strict=True)]
    return [list(row) for row in zip(*of_outputs, strict=True)]


def _mappings(probabilities: np.ndarray, labels: Sequence[Any]) -> list[dict[str, Any]]:
    names = [label_key(label) for label in labels]
    return [dict(zip(names, row, strict=True)) for row in _plain(probabilities)]


def _plain(output: Any) -> list[Any]:
    if not isinstance(output, np.ndarray):
        if any(isinstance(part, np.ndarray) for part in output):
            raise ValueError("arrays by output where one answer a row was expected")
        return output
    if output.dtype.kind == "f" and not np.isfinite(output).all():
        return np.where(np.isfinite(output), output.astype(object), None).tolist()
    return output.tolist()
