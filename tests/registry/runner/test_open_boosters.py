"""Boosters' own files, and pickles of their estimators: they answer as the library does."""

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost

from registry.runner.refusals import Refused
from registry.runner.sniffing import sniff
from tests import boosters
from tests.registry.runner.reading import inspect, load, matrix

MODELS = [(library, name) for library, models in boosters.LIBRARIES.items() for name in models]
NUMERIC = [one for one in MODELS if not one[1].startswith("towns")]


@pytest.mark.parametrize(("library", "name"), NUMERIC)
def test_a_file_answers_as_its_estimator(library, name):
    model, rows = boosters.fitted(library, name), boosters.held_out(library, name)
    content = boosters.native(model)
    report, _ = inspect(content, fmt=library)

    answer = load(content, report["signature"], library).predict(matrix(rows), report["methods"])

    expected = model.predict(rows)
    if name == "words" and library == "lightgbm":
        expected = np.unique(boosters.data("words")[1]).searchsorted(expected)
    assert np.array_equal(np.asarray(answer["predict"]), np.asarray(expected).squeeze())
    if "predict_proba" in answer:
        np.testing.assert_array_equal(answer["predict_proba"], model.predict_proba(rows))


@pytest.mark.parametrize(("library", "name"), NUMERIC)
def test_a_pickle_answers_as_its_estimator(library, name):
    model, rows = boosters.fitted(library, name), boosters.held_out(library, name)
    content = boosters.pickled(model)
    report, _ = inspect(content)

    answer = load(content, report["signature"]).predict(matrix(rows), report["methods"])

    assert sniff(content) == "sklearn"
    expected = np.asarray(model.predict(rows)).squeeze()
    assert np.array_equal(np.asarray(answer["predict"]), expected)
    if "predict_proba" in answer:
        np.testing.assert_array_equal(answer["predict_proba"], model.predict_proba(rows))


@pytest.mark.parametrize("form", ["json", "ubj"])
def test_both_of_xgboosts_formats(form):
    content = boosters.native(boosters.fitted("xgboost", "many"), form)

    report, _ = inspect(content, fmt=sniff(content))

    assert report["estimator"]["class"] == "xgboost.sklearn.XGBClassifier"
    assert report["estimator"]["params"]["objective"] == "multi:softprob"
    assert report["signature"]["outputs"]["predict_proba"] == {"classes": [[0, 1, 2]]}


def test_a_bare_booster_that_was_pickled():
    for library, booster in (
        ("xgboost", boosters.fitted("xgboost", "binary").get_booster()),
        ("lightgbm", boosters.fitted("lightgbm", "binary").booster_),
    ):
        content = boosters.pickled(booster)
        rows = boosters.held_out(library, "binary")
        report, _ = inspect(content)

        answer = load(content, report["signature"]).predict(matrix(rows), report["methods"])

        expected = boosters.fitted(library, "binary").predict(rows)
        assert report["methods"] == ["predict", "predict_proba"]
        assert np.array_equal(answer["predict"], expected)


def test_a_bare_catboost_that_was_pickled():
    rows, target = boosters.data("iris")
    model = catboost.CatBoost({**boosters.CAT, "loss_function": "MultiClass"}).fit(rows, target)
    content = boosters.pickled(model)
    report, _ = inspect(content)

    answer = load(content, report["signature"]).predict(matrix(rows), report["methods"])

    np.testing.assert_array_equal(
        answer["predict_proba"], model.predict(rows, prediction_type="Probability")
    )


def test_a_booster_stopped_early_answers_as_whoever_saved_it():
    rows, target = boosters.data("diabetes")
    model = xgboost.XGBRegressor(
        n_estimators=60, learning_rate=0.9, early_stopping_rounds=3, n_jobs=1
    )
    model.fit(rows[::2], target[::2], eval_set=[(rows[1::2], target[1::2])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    bare = model.get_booster()
    whole = bare.predict(xgboost.DMatrix(rows))

    for content, expected in (
        (boosters.native(model), model.predict(rows)),
        (bytes(bare.save_raw()), whole),
    ):
        report, _ = inspect(content, fmt="xgboost")
        answer = load(content, report["signature"], "xgboost").predict(matrix(rows), ["predict"])
        np.testing.assert_array_equal(answer["predict"], expected)


def test_names_are_kept_and_made_up_ones_are_not():
    for library in boosters.LIBRARIES:
        for name, known in (("named", True), ("many", False)):
            report, _ = inspect(boosters.native(boosters.fitted(library, name)), fmt=library)
            first = report["signature"]["inputs"][0]["name"]
            assert report["signature"]["named"] is known
            assert first.startswith("sepal" if known else "x0")


@pytest.mark.parametrize(
    ("fmt", "content", "said"),
    [
        ("xgboost", b'{"learner": 3}', "XGBoost 3"),
        ("xgboost", b"binf\x00", "old binary format"),
        ("lightgbm", b"tree\nnonsense", "LightGBM 4"),
        ("lightgbm", b"tree\n\xff\xfe", "LightGBM 4"),
        ("catboost", b"CBM1 nonsense", "CatBoost 1"),
    ],
)
def test_nonsense_is_refused(fmt, content, said):
    with pytest.raises(Refused) as refused:
        inspect(content, fmt=fmt)

    assert said in refused.value.reason
    assert sniff(content) == fmt


def test_an_own_objective_gives_plain_scores():
    rows, target = boosters.data("diabetes")

    def squares(predicted, dataset):
        return predicted - dataset.get_label(), np.ones(len(predicted))

    booster = lightgbm.train(
        {"objective": squares, "verbose": -1, "num_threads": 1}, lightgbm.Dataset(rows, target), 5
    )
    content = booster.model_to_string().encode()
    report, _ = inspect(content, fmt="lightgbm")

    answer = load(content, report["signature"], "lightgbm").predict(matrix(rows), ["predict"])

    np.testing.assert_array_equal(answer["predict"], booster.predict(rows))


def test_texts_of_catboost_are_refused():
    rows = [[0.5 * n, ["good day", "bad rain", "more sun"][n % 3]] for n in range(60)]
    model = catboost.CatBoostClassifier(text_features=[1], **boosters.CAT)
    model.fit(rows, [n % 3 == 0 for n in range(60)])

    for content, fmt in (
        (boosters.native(model), "catboost"),
        (boosters.pickled(model), "sklearn"),
    ):
        with pytest.raises(Refused) as refused:
            inspect(content, fmt=fmt)

        assert refused.value.code == "unreadable"
        assert "text_features" in refused.value.reason


def test_a_lightgbm_file_that_went_through_windows():
    content = boosters.native(boosters.fitted("lightgbm", "many"))
    rows = boosters.held_out("lightgbm", "many")
    windows = content.replace(b"\n", b"\r\n")
    report, _ = inspect(windows, fmt=sniff(windows))

    answer = load(windows, report["signature"], "lightgbm").predict(matrix(rows), ["predict"])

    expected = boosters.fitted("lightgbm", "many").predict(rows)
    assert np.array_equal(answer["predict"], expected)


@pytest.mark.parametrize(
    "objective",
    [
        "binary:logitraw",
        "rank:pairwise",
        "reg:pseudohubererror",
        "multi:softmax",
        "reg:quantileerror",
    ],
)
def test_bare_boosters_of_other_objectives(objective):
    rows, target = boosters.data("breast_cancer")
    params = {"objective": objective, "nthread": 1}
    if objective == "multi:softmax":
        params["num_class"] = 2
    if objective == "reg:quantileerror":
        params["quantile_alpha"] = 0.5
    booster = xgboost.train(params, xgboost.DMatrix(rows[::2], target[::2]), 6)
    content = bytes(booster.save_raw())
    report, graphs = inspect(content, fmt="xgboost")
    asked = xgboost.DMatrix(rows[1::2])

    for holder in (content, graphs[0]):
        fmt = "xgboost" if holder is content else "graph"
        answer = load(holder, report["signature"], fmt).predict(matrix(rows[1::2]), ["predict"])
        np.testing.assert_array_equal(answer["predict"], booster.predict(asked))
