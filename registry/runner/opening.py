"""From the bytes of an upload to something that predicts: one opener a format.

An opener answers with `Opened`, whose estimator speaks scikit-learn's language (predict,
perhaps predict_proba, classes_, n_features_in_, feature_names_in_): everything after it
is the same for all formats. It raises Refused, and never tries another opener.
"""

from collections.abc import Callable
from typing import BinaryIO

from registry.formats import CATBOOST, LIGHTGBM, MLFLOW, ONNX, SKLEARN, SKOPS, XGBOOST
from registry.runner.loading import Opened, open_pickle
from registry.runner.open_boosters import open_catboost, open_lightgbm, open_xgboost
from registry.runner.open_mlflow import open_mlflow
from registry.runner.open_onnx import open_onnx
from registry.runner.open_skops import open_skops
from registry.runner.refusals import Refused

OPENERS: dict[str, Callable[[bytes], Opened]] = {
    SKLEARN: open_pickle,
    SKOPS: open_skops,
    ONNX: open_onnx,
    MLFLOW: open_mlflow,
    XGBOOST: open_xgboost,
    LIGHTGBM: open_lightgbm,
    CATBOOST: open_catboost,
}


def open_artifact(file: BinaryIO, *, fmt: str) -> Opened:
    """Load what `file` holds. Raises Refused with a code and a sentence for people."""
    opener = OPENERS.get(fmt)
    if opener is None:
        raise Refused("unreadable", f"Files of the format {fmt} are not opened here.")
    try:
        return opener(file.read())
    except MemoryError:
        raise Refused(
            "out_of_memory", "Opening the file needs more memory than a model is allowed."
        ) from None
