"""The formats of uploaded models. No framework in here: the runner imports it too."""

# joblib, pickle and cloudpickle are one format: what differs is who wrote the opcodes.
SKLEARN = "sklearn"
SKOPS = "skops"
ONNX = "onnx"  # uploaded; what an inspector compiled is a GRAPH
MLFLOW = "mlflow"
XGBOOST = "xgboost"
LIGHTGBM = "lightgbm"
CATBOOST = "catboost"
FORMATS = (SKLEARN, SKOPS, ONNX, MLFLOW, XGBOOST, LIGHTGBM, CATBOOST)

# What a host is told to load when it is a graph that an inspector compiled.
GRAPH = "graph"

# What an uploader may call a file, and the formats that are no surprise then.
DECLARED = {
    "auto": FORMATS,
    "sklearn": (SKLEARN, SKOPS, MLFLOW),
    "joblib": (SKLEARN,),
    "pickle": (SKLEARN,),
    "cloudpickle": (SKLEARN,),
    "skops": (SKOPS,),
    "onnx": (ONNX,),
    "xgboost": (XGBOOST, SKLEARN, SKOPS, MLFLOW),
    "lightgbm": (LIGHTGBM, SKLEARN, SKOPS, MLFLOW),
    "catboost": (CATBOOST, SKLEARN, MLFLOW),
    "mlflow": (MLFLOW,),
}
# Formats that a library of its own opens, which checks little of what it reads.
LIBRARIES = {XGBOOST: "XGBoost", LIGHTGBM: "LightGBM", CATBOOST: "CatBoost"}
TITLES = {
    SKLEARN: "a pickle",
    SKOPS: "skops",
    ONNX: "ONNX",
    MLFLOW: "an MLflow model",
    XGBOOST: "XGBoost's own format",
    LIGHTGBM: "LightGBM's own format",
    CATBOOST: "CatBoost's own format",
}


def disagreement(declared: str, fmt: str) -> str:
    """What to tell an uploader who called the file something else; empty when all is well."""
    if fmt in DECLARED.get(declared, FORMATS):
        return ""
    return f"You called it {declared}; the bytes are {TITLES[fmt]}, and they decide."
