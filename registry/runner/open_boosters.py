"""Openers of the gradient boosting libraries' own files.

The libraries check little of what they read: wrong indices crash them. That is what the
child is for; it has no more to lose than itself.
"""

import re
from typing import Any

import catboost
import lightgbm
import xgboost

from registry.runner import boosters
from registry.runner.lightgbm_models import as_estimator
from registry.runner.loading import Opened
from registry.runner.refusals import Refused


def open_xgboost(content: bytes) -> Opened:
    """JSON or UBJSON. Raises Refused."""
    if content.startswith((b"binf", b"bs64")):
        raise Refused(
            "unreadable",
            "The file is in XGBoost's old binary format, which XGBoost no longer reads. Load it "
            'with the XGBoost that wrote it, and save it with model.save_model("model.ubj").',
        )
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(content))
        estimator = boosters.xgboost_estimator(booster)
    except (xgboost.core.XGBoostError, ValueError, TypeError, LookupError) as error:
        raise _unreadable("XGBoost", xgboost, error) from None
    return _opened(estimator)


def open_lightgbm(content: bytes) -> Opened:
    """What Booster.save_model writes. Raises Refused."""
    try:
        # It finds its trees by their lengths, which a copy made on Windows has changed.
        booster = lightgbm.Booster(model_str=content.decode().replace("\r\n", "\n"))
        estimator = as_estimator(booster)
    except (lightgbm.basic.LightGBMError, ValueError, TypeError, LookupError) as error:
        raise _unreadable("LightGBM", lightgbm, error) from None
    return _opened(estimator)


def open_catboost(content: bytes) -> Opened:
    """The binary format, .cbm. Raises Refused."""
    boosters.refuse_texts(content)
    try:
        estimator = boosters.catboost_estimator(content)
    except (catboost.CatBoostError, ValueError, TypeError, LookupError) as error:
        raise _unreadable("CatBoost", catboost, error) from None
    return _opened(estimator)


def _opened(estimator: Any) -> Opened:
    boosters.settle(estimator)
    return Opened(estimator, trained_with="")  # no scikit-learn was there


def _unreadable(library: str, module: Any, error: Exception) -> Refused:
    # They put a place in their source before what they say, and a stack trace behind.
    said = re.sub(r"^.*?\.(cc|cpp|h):\d+: ", "", str(error).partition("Stack trace")[0].strip())
    return Refused(
        "unreadable",
        f"{library} {module.__version__} cannot open the file: {said[:200].rstrip(' .:')}. "
        "It may be damaged or cut off, or was written by a newer version.",
    )
