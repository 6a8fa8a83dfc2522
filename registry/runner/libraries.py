"""Which versions of the model libraries this runner opens and serves models with."""

import hashlib
import sys
from pathlib import Path

# By the name people install; the module they import. What is not installed is not listed.
MODULES = {
    "scikit-learn": "sklearn",
    "onnxruntime": "onnxruntime",
    "onnx": "onnx",
    "skl2onnx": "skl2onnx",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "skops": "skops",
    "joblib": "joblib",
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
}


def versions() -> dict[str, str]:
    """Of what the zygote has imported: a child has no other."""
    found = {name: sys.modules.get(module) for name, module in MODULES.items()}
    known = {name: str(module.__version__) for name, module in found.items() if module}
    return {**known, "runner": _digest_of_source()}


def _digest_of_source() -> str:
    """A change of ours may change an answer as well as a library's can."""
    running = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        running.update(path.read_bytes())
    return running.hexdigest()[:12]
