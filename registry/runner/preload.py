"""Everything a model may need, imported before any child exists.

A child has no file system: what is not imported here is "not found" there.
Import this module only in the zygote, whose environment is already clean
(libgomp and OpenBLAS read their thread counts at import).
"""

import gc
import importlib
import io
import pickle
import pkgutil
import warnings
from types import ModuleType

PACKAGES = (
    "sklearn",
    "skl2onnx",
    "joblib",
    "cloudpickle",
    "onnxruntime.capi",
    "skops.io",
    "encodings",  # zip files, YAML and vectorizers name them
)
MODULES = """
    numpy numpy.random numpy.random._pickle numpy.core.multiarray numpy.core.numeric
    numpy._core.multiarray numpy.core._multiarray_umath numpy.ma numpy.polynomial
    numpy.strings numpy.rec
    scipy.sparse scipy.sparse.linalg scipy.sparse.csgraph scipy.stats scipy.special
    scipy.interpolate scipy.optimize scipy.linalg scipy.spatial scipy.spatial.transform
    scipy.cluster.hierarchy scipy.signal scipy.ndimage scipy.integrate scipy.fft scipy.io
    pandas pandas.core.arrays.arrow pandas.core.internals.managers pandas.io.formats.format
    pandas._libs.internals joblib.numpy_pickle joblib.numpy_pickle_compat
    onnx onnx.checker onnx.helper onnx.numpy_helper onnx.shape_inference onnx.reference
    onnxruntime orjson gzip bz2 lzma zlib zipfile decimal fractions statistics datetime
    xgboost lightgbm catboost pyarrow pyarrow.csv pyarrow.parquet lz4.frame yaml
    uuid csv json ast inspect textwrap difflib hashlib random copyreg functools
"""
# Test suites, data sets that would be fetched, and build scripts are no part of a model.
SKIPPED = frozenset(
    ("tests", "_tests", "datasets", "externals", "_build_utils", "build", "conftest", "setup")
)


def preload() -> list[str]:
    """Import it all; answers with what could not be imported (optional parts, mostly)."""
    missing: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in MODULES.split():
            _import(name, missing)
        for package in PACKAGES:
            _walk(package, missing)
        importlib.import_module("registry.runner.children")
        _warm_up()
    # What is here now lives for ever: the collector in a child need not touch these pages.
    gc.collect()
    gc.freeze()
    return missing


def _import(name: str, missing: list[str]) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except Exception:  # an optional dependency of theirs; the self-test has the last word
        missing.append(name)
        return None


def _walk(name: str, missing: list[str]) -> None:
    module = _import(name, missing)
    for found in pkgutil.iter_modules(getattr(module, "__path__", ())):
        if found.name not in SKIPPED and not found.name.startswith("test_"):
            child = f"{name}.{found.name}"
            if found.ispkg:
                _walk(child, missing)
            else:
                _import(child, missing)


def _warm_up() -> None:
    """Once through what libraries set up on first use: thread pools, registries, caches."""
    import numpy as np
    import onnxruntime
    import pandas as pd
    import skl2onnx
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.utils.parallel import _get_threadpool_controller

    _get_threadpool_controller()  # reads the loaded libraries' paths
    table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "city": ["a", "b", "a", "b"]})
    columns = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(table, [0, 0, 1, 1])
    repr(model), repr(table)
    pickle.load(io.BytesIO(pickle.dumps(model))).predict_proba(table)  # nosec B301 # made in this line
    numeric = LogisticRegression().fit(table[["x"]].to_numpy(), [0, 0, 1, 1])
    graph = skl2onnx.to_onnx(numeric, np.zeros((1, 1)), options={"zipmap": False})
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), _one_thread(), providers=["CPUExecutionProvider"]
    )
    session.run(None, {session.get_inputs()[0].name: np.zeros((1, 1))})


def _one_thread() -> object:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options
