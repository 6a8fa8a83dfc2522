"""registry.runner.open_mlflow: model folders as zips, read without unpacking them"""

import io
import json
import pickle

import cloudpickle
import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from registry.exports import ADVICE
from registry.runner import inspector, scan_report
from registry.runner.loading import Stated
from registry.runner.open_mlflow import open_mlflow, stated_columns
from registry.runner.refusals import Refused
from tests import artifacts
from tests.registry.runner.reading import load, matrix
from tests.zip_files import COLUMNS, columns, mlflow_zip, mlmodel, zipped


def looked_at(content: bytes) -> dict:
    return inspector.inspect(io.BytesIO(content), fmt="mlflow")[0]


def refusal(content: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        open_mlflow(content)
    return caught.value


def iris() -> tuple[np.ndarray, np.ndarray]:
    return artifacts.data("iris")


def xgboost_file() -> bytes:
    model = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(*iris())
    return bytes(model.get_booster().save_raw("ubj"))


def lightgbm_file() -> bytes:
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(*iris())
    return model.booster_.model_to_string().encode()


MODEL = artifacts.fitted("logistic")
HONEST = {
    "pickle": ("sklearn", "model.pkl", lambda: pickle.dumps(MODEL)),
    "cloudpickle": ("sklearn", "model.pkl", lambda: cloudpickle.dumps(MODEL)),
    "skops": ("sklearn", "model.skops", lambda: skops.io.dumps(MODEL)),
    "onnx": ("onnx", "model.onnx", lambda: artifacts.graph_of("logistic")),
    "xgboost": ("xgboost", "model.ubj", xgboost_file),
    "lightgbm": ("lightgbm", "model.lgb", lightgbm_file),
    "lightgbm in skops": (
        "lightgbm",
        "model.skops",
        lambda: skops.io.dumps(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(*iris())),
    ),
}


@pytest.mark.parametrize("folder", ["", "model/"])
@pytest.mark.parametrize("name", HONEST)
def test_every_flavour_is_opened(name, folder):
    flavour, file, make = HONEST[name]

    opened = open_mlflow(mlflow_zip(make(), flavour, file, folder=folder))

    rows, target = iris()
    assert np.mean(np.ravel(opened.estimator.predict(rows)) == target) > 0.9
    assert opened.facts["mlflow"]["flavour"] == flavour
    assert opened.facts["mlflow"]["requirements"] == ["mlflow==3.17.2", "scikit-learn==1.9.1"]


def test_the_signature_names_the_columns_of_a_model_without_names():
    content = mlflow_zip()
    report = looked_at(content)
    rows = artifacts.held_out("logistic")

    served = load(content, report["signature"], fmt="mlflow")

    inputs = report["signature"]["inputs"]
    assert [one["name"] for one in inputs] == list(COLUMNS)
    assert not report["signature"]["named"]
    answer = served.predict(matrix(rows), ["predict"])["predict"]
    assert answer.tolist() == MODEL.predict(rows).tolist()


@pytest.mark.parametrize(
    ("dtype", "ours"), [("double", "float"), ("long", "integer"), ("integer", "integer"),
                        ("boolean", "boolean"), ("string", "float"), ("datetime", "float")]
)  # fmt: skip
def test_its_types_sharpen_numbers_and_no_more(dtype, ours):
    report = looked_at(mlflow_zip(inputs=columns(dtype=dtype)))

    assert [one["dtype"] for one in report["signature"]["inputs"]] == [ours] * 4


@pytest.mark.parametrize("required", [True, False])
def test_a_required_column_may_not_be_missing(required):
    model = HistGradientBoostingClassifier(max_iter=3).fit(*iris())
    content = mlflow_zip(pickle.dumps(model), inputs=columns(required=required))

    inputs = looked_at(content)["signature"]["inputs"]

    assert [one["nullable"] for one in inputs] == [not required] * 4


def test_a_named_model_keeps_its_own_order():
    rows, target = iris()
    table = pd.DataFrame(rows, columns=COLUMNS)[list(reversed(COLUMNS))]
    model = LogisticRegression(max_iter=500).fit(table, target)

    report = looked_at(mlflow_zip(pickle.dumps(model)))

    assert report["signature"]["named"]
    assert [one["name"] for one in report["signature"]["inputs"]] == list(reversed(COLUMNS))


def test_a_signature_of_another_width_is_told_and_left():
    inputs = json.dumps([{"type": "double", "name": "only", "required": True}])

    report = looked_at(mlflow_zip(inputs=inputs))

    assert [one["name"] for one in report["signature"]["inputs"]] == ["x0", "x1", "x2", "x3"]
    assert report["estimator"]["warnings"] == ["Its signature has 1 columns, the model takes 4."]


@pytest.mark.parametrize(
    ("inputs", "stated"),
    [
        ('[{"type": "long", "name": "a"}]', [Stated("a", "integer", True)]),
        ('[{"type": "long", "name": "a", "optional": true}]', [Stated("a", "integer", False)]),
        ('[{"type": "datetime", "name": "a", "required": false}]', [Stated("a", None, False)]),
        ('[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]', []),
        ('[{"type": ["a"], "name": "a"}]', []),
        ("not JSON", []),
        ("[" * 100_000, []),
        (None, []),
    ],
    ids=range(8),
)
def test_a_signature_is_read_or_left(inputs, stated):
    assert stated_columns({"inputs": inputs}) == stated


def test_the_release_it_was_trained_with_is_told():
    opened = open_mlflow(mlflow_zip(version="sklearn_version: 1.2.2"))

    assert opened.trained_with == "1.2.2"


def test_the_pickle_inside_is_scanned():
    content = mlflow_zip(artifacts.needing("posix", "system"))

    report = scan_report.scan_artifact(io.BytesIO(content))

    assert (report["format"], report["imports"]) == ("mlflow", ["posix.system"])
    assert report["findings"][0]["severity"] == "dangerous"
    assert refusal(content).code == "hostile"


ALIASES = "flavors: &a {sklearn: {pickled_model: model.pkl}}\nmore: *a\n"
PYFUNC = "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n"
OBJECT = "flavors: !!python/object/apply:os.system ['true']\n"


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (zipped({"MLmodel": PYFUNC}), "flavour_not_served", "your own code"),
        (zipped({"MLmodel": "flavors: {spark: {}}"}), "flavour_not_served", "(spark)"),
        (zipped({"MLmodel": "flavors: {pytorch: {}}"}), "export_needed", ADVICE["pytorch"]),
        (zipped({"MLmodel": "flavors: {tensorflow: {}}"}), "export_needed", ADVICE["tensorflow"]),
        (zipped({"MLmodel": ALIASES}), "unreadable", "refers to itself"),
        (zipped({"MLmodel": OBJECT}), "unreadable", "no YAML"),
        (zipped({"MLmodel": "{" * 10_000}), "unreadable", "no YAML"),
        (zipped({"MLmodel": b"\xff\xfe"}), "unreadable", "no YAML"),
        (zipped({"MLmodel": "- 1"}), "unreadable", "names no flavours"),
        (zipped({"MLmodel": b"a" * (2 << 20)}), "unreadable", "larger than it may be"),
        (zipped({"MLmodel": mlmodel()}), "unreadable", "model.pkl, is not in it"),
        (mlflow_zip(name="../model.pkl"), "unreadable", "points outside"),
        (zipped({"MLmodel": mlmodel(name="/etc/passwd")}), "unreadable", "is not in it"),
        (zipped({"MLmodel": "flavors: {sklearn: {pickled_model: [1]}}"}), "unreadable", "not in"),
        (mlflow_zip(more={"code/more.whl": zipped({"a": b""})}), "unreadable", "archive in the"),
        (mlflow_zip(zipped({"model.pkl": b""})), "unreadable", "neither a skops"),
        (mlflow_zip(mlflow_zip()), "unreadable", "no file of that"),
        (mlflow_zip(flavour="onnx"), "unreadable", "flavour is onnx"),
        (mlflow_zip(bytes(65 << 20)), "unreadable", "times its size"),
        (mlflow_zip(artifacts.needing("mypackage.models", "Mine")), "needs_module", "mypackage"),
    ],
    ids=range(20),
)  # fmt: skip
def test_hostile_and_foreign_folders_are_refused(content, code, said):
    told = refusal(content)

    assert told.code == code
    assert said is None or said in told.reason
