"""Which versions of the model libraries this runner opens and serves models with."""

import sys

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
    return {name: str(module.__version__) for name, module in found.items() if module}
