"""What a fitted estimator says of itself, as plain JSON."""

import math
from typing import Any

import numpy as np
import sklearn
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from registry.runner.columns import unwrapped
from registry.runner.loading import Opened
from registry.runner.refusals import Refused

MAX_PARAMS = 100
MAX_TEXT = 300
MAX_ITEMS = 20


def require_predictor(estimator: Any) -> None:
    """Raises Refused unless `estimator` is a fitted object that predicts."""
    if isinstance(estimator, type):
        raise Refused(
            "not_an_estimator",
            f"The file holds the class {estimator.__name__}, not a fitted model. "
            "Create it, call fit, and save the result.",
        )
    if not callable(getattr(estimator, "predict", None)):
        raise _without_predict(estimator)
    if hasattr(estimator, "fit"):
        _require_fitted(estimator)


def estimator_facts(opened: Opened, *, n_features: int, n_outputs: int) -> dict[str, Any]:
    """The report's "estimator" part."""
    estimator = opened.estimator
    steps = [step for _, step in getattr(unwrapped(estimator), "steps", [])]
    final = unwrapped(steps[-1] if steps else estimator)
    return {
        "class": clean(f"{type(estimator).__module__}.{type(estimator).__qualname__}"),
        "steps": [clean(_step_name(step)) for step in steps],
        "final": clean(type(final).__name__),
        "kind": kind_of(estimator),
        "params": params_of(final),
        "n_features": n_features,
        "n_outputs": n_outputs,
        "trained_with": clean(opened.trained_with),
        "runs_with": sklearn.__version__,
        "warnings": [clean(warning) for warning in opened.warnings],
        "also": [name for name in ("decision_function", "transform") if hasattr(estimator, name)],
        **opened.facts,
    }


def kind_of(estimator: Any) -> str:
    """classifier, regressor, outlier_detector, clusterer or other."""
    kinds = {
        "classifier": is_classifier,
        "regressor": is_regressor,
        "outlier_detector": is_outlier_detector,
        "clusterer": is_clusterer,
    }
    try:
        return next(kind for kind, is_kind in kinds.items() if is_kind(estimator))
    except Exception:
        # None of them, or an object without scikit-learn's tags.
        pass
    return "classifier" if hasattr(estimator, "predict_proba") else "other"


def params_of(estimator: Any) -> dict[str, Any]:
    """The hyper-parameters, shortened until they are safe to store and show."""
    try:
        params = estimator.get_params(deep=False)
    except Exception:
        return {}
    names = sorted(params)[:MAX_PARAMS]
    return {clean(str(name)): plain(params[name]) for name in names}


def plain(value: Any, *, depth: int = 0) -> Any:
    """`value` as JSON: numbers, strings, short lists; anything else by its name."""
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    if isinstance(value, int | np.integer):
        return int(value) if abs(int(value)) < 2**63 else clean(str(value))
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, str):
        return clean(value)
    return _plain_many(value, depth) if depth < 2 else clean(type(value).__name__)


def clean(text: str) -> str:
    """Printable and short: the text comes from an untrusted file."""
    return "".join(one if one.isprintable() else " " for one in text[:MAX_TEXT])


def _plain_many(value: Any, depth: int) -> Any:
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(one, depth=depth + 1) for one in list(value)[:MAX_ITEMS]]
    if isinstance(value, dict):
        items = list(value.items())[:MAX_ITEMS]
        return {clean(str(key)): plain(one, depth=depth + 1) for key, one in items}
    # A kernel can be called and has no name of its own.
    return clean(str(getattr(value, "__name__", type(value).__name__)))


def _step_name(step: Any) -> str:
    return step if isinstance(step, str) else type(step).__name__


def _require_fitted(estimator: Any) -> None:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise Refused(
            "not_fitted",
            f"The {type(estimator).__name__} has not been fitted. Call fit, then save it.",
        ) from None
    except Exception:
        # Not a scikit-learn estimator: whether it predicts is found by trying.
        return


def _without_predict(estimator: Any) -> Refused:
    name = clean(type(estimator).__name__)
    if hasattr(estimator, "transform"):
        return Refused(
            "no_predict",
            f"The {name} only transforms data: it has no predict. "
            "Save the pipeline that ends in a model.",
        )
    if hasattr(estimator, "fit"):
        return Refused("no_predict", f"The {name} has no predict, so there is nothing to serve.")
    inside = ""
    if isinstance(estimator, dict | list | tuple):
        inside = " If the model is inside it, save the model by itself."
    return Refused("not_an_estimator", f"The file holds a {name}, not a fitted model.{inside}")
