"""Compiled graphs against the estimators themselves, float64 rows and split points included."""

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GridSearchCV

from registry.rows import Rows
from tests import artifacts
from tests.registry.runner.reading import inspect, load, matrix, mixed

NOT_COMPILED = {"neighbors"}


def neighbours_of_splits(report: dict, rows: np.ndarray) -> np.ndarray:
    """Rows with one value moved onto a threshold, or next to it in float64 and float32."""
    moved = []
    for column, hint in enumerate(report["hints"]):
        for split in hint["splits"][:12]:
            narrow = np.float32(split)
            values = [split, np.nextafter(split, np.inf), np.nextafter(split, -np.inf)]
            values += [np.nextafter(narrow, np.float32(side)) for side in (np.inf, -np.inf)]
            for value in [*values, narrow]:
                row = rows[len(moved) % len(rows)].copy()
                row[column] = value
                moved.append(row)
    return np.array([*rows, *moved])


def assert_same(report: dict, answer: dict, expected: dict) -> None:
    if report["signature"]["outputs"]["predict"]["dtype"] == "float":
        np.testing.assert_allclose(answer["predict"], expected["predict"], rtol=1e-5)
    else:
        assert np.array_equal(answer["predict"], expected["predict"])
    if "predict_proba" in expected:
        np.testing.assert_allclose(
            answer["predict_proba"], expected["predict_proba"], rtol=1e-5, atol=1e-9
        )


@pytest.mark.parametrize("name", sorted(set(artifacts.NUMERIC) - NOT_COMPILED))
def test_a_graph_answers_as_its_estimator(name):
    model = artifacts.fitted(name)
    report, graphs = inspect(artifacts.dump(model))
    rows = neighbours_of_splits(report, artifacts.held_out(name))
    expected = {method: getattr(model, method)(rows) for method in report["methods"]}

    answer = load(graphs[0], report["signature"], "graph").predict(matrix(rows), report["methods"])

    assert report["graphs"] == [{"precision": "float64"}]
    assert_same(report, answer, expected)


@pytest.mark.parametrize("name", sorted(artifacts.NUMERIC))
def test_the_estimator_answers_as_itself(name):
    model, rows = artifacts.fitted(name), artifacts.held_out(name)
    content = artifacts.dump(model)
    report, _ = inspect(content)

    answer = load(content, report["signature"]).predict(matrix(rows), report["methods"])

    assert np.array_equal(answer["predict"], model.predict(rows))


def test_strings_and_missing_values():
    table, _ = artifacts.people()
    table = table[200:].copy()
    table.loc[table.index[0], "city"] = "Atlantis"
    model = artifacts.fitted_mixed()
    report, graphs = inspect(artifacts.dump(model))

    answer = load(graphs[0], report["signature"], "graph").predict(mixed(table), report["methods"])

    assert answer["predict"] == model.predict(table).tolist()
    np.testing.assert_allclose(answer["predict_proba"], model.predict_proba(table), rtol=1e-9)


@pytest.mark.parametrize("labels", [[False, True], [0.0, 1.0], ["a", "b"], [-3, 7]])
def test_labels_keep_their_type(labels):
    rows = np.array([[0.0], [1.0], [2.0], [3.0]])
    target = np.array(labels)[[0, 0, 1, 1]]
    model = linear_model.LogisticRegression().fit(rows, target)
    report, graphs = inspect(artifacts.dump(model))

    answer = load(graphs[0], report["signature"], "graph").predict(matrix(rows), ["predict"])

    assert np.asarray(answer["predict"]).tolist() == target.tolist()
    assert report["signature"]["outputs"]["predict_proba"] == {"classes": [labels]}


def test_it_says_why_a_model_is_not_compiled():
    # Irises are measured in whole millimetres: many are equally near.
    report, graphs = inspect(artifacts.dump(artifacts.fitted("neighbors")))

    assert graphs == []
    assert report["graphs"] == []
    assert report["not_compiled"] == (
        "Served as uploaded: there is no exact graph for KNeighborsClassifier "
        "where several points are equally near."
    )


def test_a_row_with_a_missing_value_takes_the_same_branch():
    model, rows = artifacts.fitted("histogram"), artifacts.held_out("histogram").copy()
    rows[::3, 0] = np.nan
    report, graphs = inspect(artifacts.dump(model))

    answer = load(graphs[0], report["signature"], "graph").predict(matrix(rows), ["predict"])

    assert np.array_equal(answer["predict"], model.predict(rows))


def test_a_transformed_target_is_not_forgotten():
    rows, target = artifacts.data("diabetes")
    model = TransformedTargetRegressor(
        linear_model.LinearRegression(), func=np.log1p, inverse_func=np.expm1
    ).fit(rows, target)
    search = GridSearchCV(model, {"regressor__fit_intercept": [True]}).fit(rows, target)

    for one in (model, search):
        report, graphs = inspect(artifacts.dump(one))

        answer = load(graphs[0], report["signature"], "graph").predict(matrix(rows), ["predict"])

        np.testing.assert_allclose(answer["predict"], one.predict(rows), rtol=1e-9)


def test_a_search_answers_with_its_best_estimator():
    rows, target = artifacts.data("iris")
    search = GridSearchCV(linear_model.LogisticRegression(max_iter=500), {"C": [0.1, 1]})
    search.fit(rows, target)
    report, graphs = inspect(artifacts.dump(search))

    answer = load(graphs[0], report["signature"], "graph").predict(matrix(rows), ["predict"])

    assert np.array_equal(answer["predict"], search.predict(rows))


def test_categories_of_a_data_frame():
    table, target = artifacts.people()
    table = table[["age", "city"]].astype({"city": "category"})
    model = HistGradientBoostingClassifier(max_iter=5).fit(table, target)
    content = artifacts.dump(model)
    report, graphs = inspect(content)
    cities = [None if one != one else one for one in table["city"]]
    rows = Rows([table[["age"]].to_numpy(), cities], len(table))

    answer = load(content, report["signature"]).predict(rows, ["predict"])
    compiled = load(graphs[0], report["signature"], "graph").predict(rows, ["predict"])

    assert report["signature"]["inputs"][1]["categories"] == ["Bergen", "Oslo", "Rome"]
    assert answer["predict"] == compiled["predict"] == model.predict(table).tolist()
