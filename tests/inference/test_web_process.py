"""What a web process never holds: a library that opens models."""

import json

MODEL_LIBRARIES = [
    "sklearn", "joblib", "onnx", "onnxruntime", "skl2onnx", "pandas", "scipy", "skops", "xgboost",
    "lightgbm", "catboost", "pyarrow",
]  # fmt: skip


def test_it_imports_no_model_library(run_python):
    process = run_python(
        "import json, mlplatform.wsgi, mlplatform.urls\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    output, errors = process.communicate(timeout=60)

    imported = set(json.loads(output.splitlines()[-1])) if output else errors
    assert "django" in imported
    assert imported.isdisjoint({*MODEL_LIBRARIES, "pickletools", "cloudpickle", "xgboost"})
