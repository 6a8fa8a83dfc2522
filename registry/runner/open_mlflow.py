"""MLflow models: the model in the folder by its own opener, and what MLflow wrote down of it."""

import json
from typing import Any

import sklearn

from registry.formats import CATBOOST, LIGHTGBM, ONNX, SKLEARN, SKOPS, XGBOOST
from registry.runner.facts import clean
from registry.runner.loading import Opened, Stated, open_pickle
from registry.runner.mlflow_folder import Folder, read_folder
from registry.runner.open_boosters import open_catboost, open_lightgbm, open_xgboost
from registry.runner.open_onnx import open_onnx
from registry.runner.open_skops import open_skops

OPENERS = {
    SKLEARN: open_pickle,
    SKOPS: open_skops,
    ONNX: open_onnx,
    XGBOOST: open_xgboost,
    LIGHTGBM: open_lightgbm,
    CATBOOST: open_catboost,
}
TYPES = {
    "double": "float",
    "float": "float",
    "integer": "integer",
    "long": "integer",
    "boolean": "boolean",
    "string": "string",
}
MAX_SHOWN = 100
MAX_VERSION = 40
VERSIONS = ("sklearn_version", "xgb_version", "lgb_version", "catboost_version", "onnx_version")


def open_mlflow(content: bytes) -> Opened:
    """Raises Refused or MemoryError."""
    folder = read_folder(content)
    opened = OPENERS[folder.fmt](folder.model)
    opened.stated = stated_columns(folder.mlmodel.get("signature"))
    opened.facts = {"mlflow": _facts(folder)}
    version = folder.settings.get("sklearn_version")
    if isinstance(version, str) and opened.trained_with == sklearn.__version__ != version:
        opened.trained_with = version[:MAX_VERSION]
    return opened


def stated_columns(signature: Any) -> list[Stated]:
    """The columns of an MLflow signature in order; none where it is of tensors or no sense."""
    try:
        specs = json.loads(signature["inputs"])
        return [_stated(spec) for spec in specs]
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
        return []


def _stated(spec: dict[str, Any]) -> Stated:
    name = spec["name"]
    if not isinstance(name, str) or not name:
        raise ValueError("a column without a name")
    # Older releases wrote "optional", newer ones write "required".
    is_required = spec.get("required", not spec.get("optional", False))
    return Stated(name, TYPES.get(spec["type"]), is_required=bool(is_required))


def _facts(folder: Folder) -> dict[str, Any]:
    versions = {name: folder.settings.get(name) for name in VERSIONS}
    versions["mlflow_version"] = folder.mlmodel.get("mlflow_version")
    python = folder.mlmodel["flavors"].get("python_function")
    versions["python_version"] = python.get("python_version") if isinstance(python, dict) else None
    return {
        "flavour": folder.flavour,
        "format": folder.fmt,
        "versions": {
            name: clean(value[:MAX_VERSION])
            for name, value in versions.items()
            if isinstance(value, str)
        },
        "requirements": list(folder.requirements[:MAX_SHOWN]),
    }
