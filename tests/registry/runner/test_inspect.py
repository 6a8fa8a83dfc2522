import cloudpickle
import numpy as np
import pytest
from sklearn import linear_model, preprocessing
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from registry.runner.loading import nested, open_pickle
from registry.runner.refusals import Refused
from tests import artifacts
from tests.registry.runner.reading import inspect, load, matrix, mixed


def test_it_works():
    report, graphs = inspect(artifacts.dump(artifacts.fitted("scaled_logistic")))

    assert report["estimator"]["class"] == "sklearn.pipeline.Pipeline"
    assert report["estimator"]["steps"] == ["StandardScaler", "LogisticRegression"]
    assert report["estimator"]["final"] == "LogisticRegression"
    assert report["estimator"]["kind"] == "classifier"
    assert report["estimator"]["n_features"] == 30
    assert report["estimator"]["params"]["C"] == 1.0
    assert report["methods"] == ["predict", "predict_proba"]
    assert report["graphs"] == [{"precision": "float64"}]
    assert report["not_compiled"] is None
    assert len(graphs) == 1
    assert "sklearn.linear_model._logistic.LogisticRegression" in report["scan"]["imports"]


@pytest.mark.parametrize("how", ["pickle0", "pickle1", "pickle2", "pickle3", "pickle4", "pickle5"])
def test_it_opens_every_pickle_protocol(how):
    report, _ = inspect(artifacts.dump(artifacts.fitted("logistic"), how))

    assert report["estimator"]["final"] == "LogisticRegression"


@pytest.mark.parametrize("how", ["joblib", "compressed", "gzip", "bz2", "xz"])
def test_it_opens_every_joblib_compression(how):
    report, _ = inspect(artifacts.dump(artifacts.fitted("forest"), how))

    assert report["estimator"]["final"] == "RandomForestClassifier"


def test_it_reads_a_signature_without_names():
    report, _ = inspect(artifacts.dump(artifacts.fitted("logistic")))
    signature = report["signature"]

    assert signature["named"] is False
    assert [one["name"] for one in signature["inputs"]] == ["x0", "x1", "x2", "x3"]
    assert signature["inputs"][0] == {
        "name": "x0",
        "dtype": "float",
        "nullable": False,
        "categories": None,
        "unseen": "ok",
    }
    assert signature["outputs"] == {
        "predict": {"dtype": "integer", "count": 1},
        "predict_proba": {"classes": [[0, 1, 2]]},
    }


def test_it_reads_names_strings_and_missing_values():
    report, _ = inspect(artifacts.dump(artifacts.fitted_mixed()))
    inputs = {one["name"]: one for one in report["signature"]["inputs"]}

    assert report["signature"]["named"] is True
    assert list(inputs) == ["age", "income", "city", "job"]
    assert inputs["city"]["dtype"] == "string"
    assert inputs["city"]["categories"] == ["Bergen", "Oslo", "Rome"]
    assert inputs["city"]["unseen"] == "ok"
    assert inputs["age"]["nullable"] is True
    assert report["signature"]["outputs"]["predict_proba"] == {"classes": [["no", "yes"]]}
    assert report["hints"][2] == {"categories": ["Bergen", "Oslo", "Rome"]}


def test_it_finds_that_an_unknown_category_is_an_error():
    model = make_pipeline(preprocessing.OneHotEncoder(), linear_model.LogisticRegression())
    model.fit([["a", "x"], ["b", "y"], ["a", "y"]], [0, 1, 0])

    report, _ = inspect(artifacts.dump(model))

    assert [one["unseen"] for one in report["signature"]["inputs"]] == ["error", "error"]


def test_it_hints_where_trees_split():
    report, _ = inspect(artifacts.dump(artifacts.fitted("forest")))

    splits = [hint["splits"] for hint in report["hints"]]
    assert max(len(one) for one in splits) <= 64
    assert sum(len(one) for one in splits) > 50
    assert all(np.isfinite(hint["center"]) and hint["scale"] > 0 for hint in report["hints"])


def test_it_reads_several_outputs():
    report, _ = inspect(artifacts.dump(artifacts.fitted("two_outputs")))

    assert report["signature"]["outputs"]["predict"] == {"dtype": "float", "count": 2}
    assert report["methods"] == ["predict"]


def test_it_reads_text():
    model = make_pipeline(TfidfVectorizer(), linear_model.LogisticRegression())
    model.fit(["buy now", "hello friend", "buy money"], ["spam", "ham", "spam"])

    report, graphs = inspect(artifacts.dump(model))

    assert [(one["name"], one["dtype"]) for one in report["signature"]["inputs"]] == [
        ("text", "string")
    ]
    assert graphs == []
    assert "text" in report["not_compiled"]


def test_it_opens_a_class_that_cloudpickle_carries():
    class Doubler:
        n_features_in_ = 1

        def predict(self, rows):
            return rows[:, 0] * 2

    report, _ = inspect(cloudpickle.dumps(Doubler()))

    assert report["estimator"]["final"] == "Doubler"
    assert report["methods"] == ["predict"]


def test_a_function_in_a_model_is_no_attack():
    model = make_pipeline(
        preprocessing.FunctionTransformer(np.log1p), linear_model.LinearRegression()
    ).fit([[1.0], [2.0], [3.0]], [1, 2, 3])

    _, graphs = inspect(artifacts.dump(model))

    assert len(graphs) == 1


def test_it_says_when_scikit_learn_was_another_version(monkeypatch):
    content = artifacts.dump(artifacts.fitted("logistic"), "pickle2")
    old = content.replace(b"1.9.", b"1.7.")

    report, _ = inspect(old)

    assert report["estimator"]["trained_with"].startswith("1.7.")


def test_no_part_of_a_model_asks_for_threads():
    model = artifacts.scaled(linear_model.LogisticRegression())
    forest = artifacts.fitted("forest")
    forest.n_jobs = 4
    try:
        opened = open_pickle(artifacts.dump([forest, model]))
    finally:
        forest.n_jobs = None

    assert {getattr(part, "n_jobs", None) for part in nested(opened.estimator)} <= {None, 1}


def refusal(content: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        inspect(content)
    return caught.value


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", "empty", "The file is empty."),
        (b"a,b\n1,2\n", "unreadable", "The file is text, not a pickled scikit-learn model."),
        (b"PK\x03\x04rest", "unreadable", "The file is a ZIP archive"),
        (b"\x00\x01\x02\x03", "unreadable", "of an unknown kind"),
        (artifacts.dump({"model": 1}), "not_an_estimator", "The file holds a dict"),
        (artifacts.needing("imblearn.ensemble", "Balanced"), "needs_module", "Balanced"),
        (artifacts.needing("torch.nn.modules", "Linear"), "needs_module", "torch.onnx.export"),
        (artifacts.needing("__main__", "MyScaler"), "needs_module", "your own MyScaler"),
        (artifacts.needing("sklearn.nowhere", "Old"), "needs_module", "scikit-learn"),
        (artifacts.dump(linear_model.LogisticRegression), "not_an_estimator", "the class"),
        (artifacts.dump(linear_model.LogisticRegression()), "not_fitted", "Call fit"),
    ],
)
def test_it_refuses_what_is_not_a_model(content, code, said):
    refused = refusal(content)

    assert refused.code == code
    assert said in refused.reason


def test_it_refuses_a_transformer():
    refused = refusal(artifacts.dump(preprocessing.StandardScaler().fit([[1.0], [2.0]])))

    assert refused.code == "no_predict"
    assert "only transforms data" in refused.reason


@pytest.mark.parametrize("how", ["joblib", "pickle", "compressed", "gzip", "xz", "bz2"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_it_refuses_a_file_that_was_cut_off(how, share):
    content = artifacts.dump(artifacts.fitted("forest"), how)

    refused = refusal(content[: int(len(content) * share)])

    assert refused.code == "unreadable"
    assert "cut off" in refused.reason


def test_the_served_signature_answers():
    table, _ = artifacts.people()
    content = artifacts.dump(artifacts.fitted_mixed())
    report, _ = inspect(content)

    answer = load(content, report["signature"]).predict(mixed(table[200:]), report["methods"])

    assert answer["predict"] == artifacts.fitted_mixed().predict(table[200:]).tolist()


def test_inputs_that_nothing_is_known_of_are_numbered():
    model = make_pipeline(preprocessing.FunctionTransformer(), linear_model.LinearRegression()).fit(
        [[1.0, 2.0], [2.0, 1.0]], [1, 2]
    )
    content = artifacts.dump(model)

    report, _ = inspect(content)
    answer = load(content, report["signature"]).predict(matrix([[1.0, 2.0]]), ["predict"])

    assert [one["name"] for one in report["signature"]["inputs"]] == ["x0", "x1"]
    assert answer["predict"] == pytest.approx([1.0])


def test_numbers_that_are_categories_are_hinted_as_such():
    model = make_pipeline(preprocessing.OneHotEncoder(), linear_model.LogisticRegression())
    model.fit([[10, 0.5], [20, 1.5], [10, 0.5]], [0, 1, 0])

    report, _ = inspect(artifacts.dump(model))

    assert report["signature"]["inputs"][0]["categories"] == [10.0, 20.0]
    assert report["signature"]["inputs"][0]["unseen"] == "error"
    assert report["hints"][0] == {
        "center": 10.0,
        "scale": 1e-300,
        "splits": [],
        "values": [10.0, 20.0],
    }


def test_it_tells_which_features_weigh_most():
    table, labels = artifacts.people()
    model = artifacts.mixed_pipeline(linear_model.LogisticRegression()).fit(table, labels)

    report, _ = inspect(artifacts.dump(model))

    weights = report["estimator"]["importances"]
    assert {"numbers__age", "strings__city_Rome"} == {one["name"] for one in weights[:2]}
    assert [one["importance"] for one in weights] == sorted(
        (one["importance"] for one in weights), reverse=True
    )
    assert report["estimator"]["also"] == ["decision_function"]


def test_a_column_that_is_dropped_takes_anything():
    table, labels = artifacts.people()
    columns = make_column_transformer((preprocessing.StandardScaler(), ["income"]))
    model = make_pipeline(columns, linear_model.LogisticRegression()).fit(table, labels)

    report, _ = inspect(artifacts.dump(model))

    inputs = {one["name"]: one for one in report["signature"]["inputs"]}
    assert [name for name, one in inputs.items() if one.get("ignored")] == ["age", "city", "job"]
    assert inputs["city"]["nullable"]
