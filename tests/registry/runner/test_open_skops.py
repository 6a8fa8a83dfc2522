"""registry.runner.open_skops: our list of types, whatever the file says"""

import json
import zipfile
from functools import partial

import catboost
import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer

from registry.runner import open_skops as opener
from registry.runner.open_skops import open_skops, types_of
from registry.runner.refusals import Refused
from tests import artifacts
from tests.zip_files import zipped

MADE = {
    "grid": lambda: GridSearchCV(LogisticRegression(max_iter=500), {"C": [1, 2]}, cv=2),
    "select": lambda: make_pipeline(SelectKBest(k=2), GaussianNB()),
    "function": lambda: make_pipeline(FunctionTransformer(np.log1p), GaussianNB()),
    "calibrated": lambda: CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=2),
    "voting": lambda: VotingClassifier([("a", GaussianNB()), ("b", GaussianNB())]),
    "gaussian process": lambda: GaussianProcessClassifier(random_state=0),
    "gradient descent": lambda: SGDClassifier(loss="log_loss", random_state=0),
    "splines": lambda: make_pipeline(SplineTransformer(), GaussianNB()),
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=3, n_jobs=1),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1),
    "catboost": lambda: catboost.CatBoostClassifier(
        iterations=3, verbose=0, allow_writing_files=False
    ),
}


def refusal(content: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        open_skops(content)
    return caught.value


def node(module: str, name: str, loader: str = "ObjectNode", **fields) -> dict:
    return {"__module__": module, "__class__": name, "__loader__": loader, "__id__": 1, **fields}


def file_of(schema: dict | str, **members: bytes) -> bytes:
    if isinstance(schema, dict):
        schema = json.dumps({"protocol": 2, "_skops_version": "0.16.0", **schema})
    return zipped({"schema.json": schema, **members})


@pytest.mark.parametrize("name", artifacts.NUMERIC)
def test_models_answer_as_saved(name):
    model = artifacts.fitted(name)

    opened = open_skops(skops.io.dumps(model, compression=zipfile.ZIP_DEFLATED))

    rows = artifacts.held_out(name)
    assert opened.estimator.predict(rows).tolist() == model.predict(rows).tolist()
    assert opened.trained_with == "1.9.1"


@pytest.mark.parametrize("name", MADE)
def test_wrappers_and_boosters_answer_as_saved(name):
    rows, target = artifacts.data("iris")
    model = MADE[name]().fit(rows, target)

    opened = open_skops(skops.io.dumps(model))

    assert opened.estimator.predict(rows).ravel().tolist() == model.predict(rows).ravel().tolist()


def test_text_and_mixed_columns_answer_as_saved():
    table, _ = artifacts.people()
    model = artifacts.fitted_mixed()
    text = make_pipeline(TfidfVectorizer(), LogisticRegression())
    text.fit(["a good day", "a bad day"] * 4, [0, 1] * 4)

    mixed = open_skops(skops.io.dumps(model)).estimator
    assert mixed.predict(table).tolist() == model.predict(table).tolist()
    assert open_skops(skops.io.dumps(text)).estimator.predict(["good"]).tolist() == [0]


def test_it_says_what_a_file_is_made_of_and_builds_nothing():
    named = types_of(file_of(node("posix", "system", "FunctionNode")))

    assert named == ["posix.system"]


class Own(LogisticRegression):
    """Stands for a class of the uploader's."""


def test_a_type_that_is_not_on_the_list_is_named():
    told = refusal(skops.io.dumps(Own().fit([[0.0], [1.0]], [0, 1])))

    assert told.code == "type_not_allowed"
    assert "test_open_skops.Own" in told.reason


@pytest.mark.parametrize(
    ("module", "name", "loader"),
    [
        ("posix", "system", "FunctionNode"),
        ("os", "system", "FunctionNode"),
        ("builtins", "eval", "FunctionNode"),
        ("builtins", "getattr", "FunctionNode"),
        ("subprocess", "Popen", "ObjectNode"),
        ("subprocess", "Popen", "ConstructorFromReduceNode"),
        ("pickle", "loads", "FunctionNode"),
        ("joblib.numpy_pickle", "load", "FunctionNode"),
        ("numpy", "load", "FunctionNode"),
        ("numpy", "fromfile", "FunctionNode"),
        ("numpy", "memmap", "ObjectNode"),
        ("sklearn.linear_model._logistic", "LogisticRegression", "MethodNode"),
        ("operator", "methodcaller", "OperatorFuncNode"),
        ("sklearn.datasets._base", "load_files", "FunctionNode"),
        ("sklearn.utils._testing", "_delete_folder", "FunctionNode"),
        ("sklearn.base", "os", "TypeNode"),
        ("registry.runner.loading", "open_pickle", "FunctionNode"),
        ("registry.runner.open_onnx", "OnnxModel", "ObjectNode"),
        ("pathlib", "Path", "ConstructorFromReduceNode"),
        ("sklearn.base", "BaseEstimator.get_params", "FunctionNode"),
    ],
)
def test_what_runs_something_is_refused(module, name, loader):
    schema = node(module, name, loader, content=node("builtins", "tuple", "TupleNode", content=[]))

    assert refusal(file_of(schema)).code in ("type_not_allowed", "needs_module")


def test_a_type_hidden_where_no_node_is_expected_is_refused_too():
    hidden = {"x": [{"deep": node("posix", "system", "FunctionNode")}]}
    schema = node("builtins", "str", "JsonNode", content='"a"', is_json=True, more=hidden)

    assert "posix.system" in refusal(file_of(schema)).reason


def test_a_module_that_is_not_here_is_named():
    told = refusal(file_of(node("imblearn.pipeline", "Pipeline")))

    assert told.code == "needs_module"
    assert "imblearn.pipeline.Pipeline" in told.reason


def deep(levels: int) -> str:
    opening, closing = '{"content": [', "]}"
    return '{"protocol": 2, "content": ' + opening * levels + closing * levels + "}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (file_of("not JSON"), "no JSON"),
        (file_of("[]"), "protocol"),
        (file_of({"protocol": 0}), "protocol"),
        (file_of({"protocol": True}), "protocol"),
        (file_of({"protocol": 99}), "protocol"),
        (file_of(deep(100_000)), "too deeply"),
        (file_of({}), "cannot open it"),
        (file_of(artifacts.dump(artifacts.fitted("logistic"), "pickle").decode("latin-1")), "JSON"),
        (zipped({"schema.json": bytes(65 << 20)}), "times its size"),
    ],
    ids=range(9),
)
def test_a_broken_schema_is_refused(content, said):
    told = refusal(content)

    assert told.code == "unreadable"
    assert said in told.reason


def test_one_array_named_a_thousand_times_is_counted_as_often(monkeypatch):
    monkeypatch.setattr(opener, "MAX_TOTAL", 100_000)
    array = partial(node, "numpy", "ndarray", "NdArrayNode", type="numpy", file="a.npy")
    schema = node("builtins", "list", "ListNode", content=[array() for _ in range(1000)])

    assert "more memory" in refusal(file_of(schema, **{"a.npy": bytes(1000)})).reason


def test_a_bomb_inside_a_sparse_matrix_is_seen():
    matrix = node("scipy.sparse._csr", "csr_matrix", "SparseMatrixNode", type="scipy", file="a.npz")
    bomb = zipped({"data.npy": bytes(65 << 20)})

    assert "times its size" in refusal(file_of(matrix, **{"a.npz": bomb})).reason


def test_it_never_falls_back_to_pickle():
    assert refusal(artifacts.dump(artifacts.fitted("logistic"))).code == "unreadable"
