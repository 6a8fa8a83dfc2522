"""Graphs of the boosting libraries' models, against the models: on, beside and off their splits."""

import numpy as np
import pytest
import xgboost

from registry import parity, probe_rows
from registry.signature import Signature
from tests import artifacts, boosters
from tests.registry.runner.reading import inspect, load, matrix, mixed

# Why these are served as they are.
NOT_COMPILED = {
    ("xgboost", "linear"): None,  # it adds up in float32, in an order of its own
    ("xgboost", "vector_leaves"): "XGBoost trees with several outputs each",
    ("lightgbm", "linear_trees"): "LightGBM trees with linear leaves",
    ("catboost", "towns"): "CatBoostClassifier on strings",
}
MODELS = [(library, name) for library, models in boosters.LIBRARIES.items() for name in models]


def compared(content, report, graph, fmt="sklearn"):
    """Both answers to the rows that admission would ask."""
    signature = Signature.from_json({**report["signature"], "methods": report["methods"]})
    rows = probe_rows.make_rows(signature, report["hints"])
    original = load(content, report["signature"], fmt).predict(rows, report["methods"])
    compiled = load(graph, report["signature"], "graph").predict(rows, report["methods"])
    return parity.compare(original, compiled, rows=rows.count)


@pytest.mark.parametrize(("library", "name"), [one for one in MODELS if one not in NOT_COMPILED])
def test_a_graph_answers_as_its_model(library, name):
    content = boosters.native(boosters.fitted(library, name))

    report, graphs = inspect(content, fmt=library)

    assert report["graphs"] == [{"precision": "float64"}], report["not_compiled"]
    assert compared(content, report, graphs[0], library).reason == ""


@pytest.mark.parametrize(("library", "name"), NOT_COMPILED)
def test_it_says_why_a_model_is_not_compiled(library, name):
    report, graphs = inspect(boosters.native(boosters.fitted(library, name)), fmt=library)

    why = NOT_COMPILED[library, name]
    if why is not None:
        assert report["not_compiled"] == f"Served as uploaded: there is no exact graph for {why}."
        assert graphs == []


@pytest.mark.parametrize("library", boosters.LIBRARIES)
@pytest.mark.parametrize("name", boosters.WRAPPERS)
def test_inside_wrappers(library, name):
    content = boosters.pickled(boosters.wrapped(library, name))

    report, graphs = inspect(content)

    assert report["graphs"] == [{"precision": "float64"}], report["not_compiled"]
    assert compared(content, report, graphs[0]).reason == ""


@pytest.mark.parametrize("library", boosters.LIBRARIES)
@pytest.mark.parametrize("sparse", [False, True])
def test_behind_columns_of_words(library, sparse):
    """Of a sparse matrix XGBoost takes the zeros for missing values."""
    table, target = artifacts.people()
    model = boosters.mixed(boosters.models()[library][0], sparse=sparse)
    model.fit(table[:200], np.unique(target, return_inverse=True)[1][:200])
    report, graphs = inspect(boosters.pickled(model))

    answer = load(graphs[0], report["signature"], "graph").predict(mixed(table), report["methods"])

    assert np.array_equal(answer["predict"], model.predict(table))
    np.testing.assert_allclose(answer["predict_proba"], model.predict_proba(table), rtol=1e-5)


def test_sums_of_xgboost_are_the_same_to_the_last_bit():
    """A sum near zero would show any other order, base or width of adding up."""
    rows, target = boosters.data("diabetes")
    model = xgboost.XGBRegressor(n_estimators=300, max_depth=5, n_jobs=1)
    model.fit(rows, target - target.mean())
    content = boosters.native(model)
    report, graphs = inspect(content, fmt="xgboost")

    answer = load(graphs[0], report["signature"], "graph").predict(matrix(rows), ["predict"])

    np.testing.assert_array_equal(answer["predict"], model.predict(rows))


def test_a_booster_stopped_early_has_only_its_best_trees():
    rows, target = boosters.data("diabetes")
    model = xgboost.XGBRegressor(
        n_estimators=60, learning_rate=0.9, early_stopping_rounds=3, n_jobs=1
    )
    model.fit(rows[::2], target[::2], eval_set=[(rows[1::2], target[1::2])], verbose=False)
    report, graphs = inspect(boosters.pickled(model))

    answer = load(graphs[0], report["signature"], "graph").predict(matrix(rows), ["predict"])

    np.testing.assert_array_equal(answer["predict"], model.predict(rows))


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_numbers_that_are_categories(library):
    """Also those that are none: negative, broken, missing, beyond all that training saw."""
    model = boosters.fitted(library, "coded")
    report, graphs = inspect(boosters.native(model), fmt=library)
    rows = np.array(boosters.held_out(library, "coded"))[:60]
    odd = [0.0, -0.0, 0.5, -0.5, -1.0, -2.5, 3.0, 3.999, 39.0, 40.0, 1e6, np.nan]
    rows[:, 2] = np.resize(odd, 60)
    rows[:, 3] = np.resize(odd[::-1], 60)

    answer = load(graphs[0], report["signature"], "graph").predict(matrix(rows), report["methods"])

    np.testing.assert_allclose(answer["predict_proba"], model.predict_proba(rows), rtol=1e-6)


def test_a_category_that_was_not_in_training():
    """To LightGBM a missing value, to XGBoost an error: it would take some for others."""
    said = {}
    for library in ("xgboost", "lightgbm"):
        report, _ = inspect(boosters.native(boosters.fitted(library, "towns")), fmt=library)
        said[library] = [one["unseen"] for one in report["signature"]["inputs"]]

    assert said == {"xgboost": ["ok", "error", "ok"], "lightgbm": ["ok", "ok", "ok"]}


def test_numbers_that_lightgbm_reads_as_zero():
    model, rows = boosters.fitted("lightgbm", "regressor_holes"), np.zeros((40, 10))
    rows[:] = np.tile([1e-35, -1e-35, 1e-36, -1e-36, 0.0], 80).reshape(40, 10)
    rows[np.arange(40), np.arange(40) % 10] = 1.1e-35
    report, graphs = inspect(boosters.pickled(model))

    answer = load(graphs[0], report["signature"], "graph").predict(matrix(rows), ["predict"])

    np.testing.assert_allclose(answer["predict"], model.predict(rows), rtol=1e-6)
