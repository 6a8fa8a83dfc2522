import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from registry.runner.importances import MAX_SHOWN, importances_of
from tests import artifacts, boosters
from tests.registry.runner.reading import inspect


@pytest.mark.parametrize("library", boosters.LIBRARIES)
def test_it_works(library):
    model = boosters.fitted(library, "named")
    report, _ = inspect(boosters.native(model), fmt=library)

    found = report["estimator"]["importances"]

    shares = np.asarray(model.feature_importances_, dtype=float)
    shares /= shares.sum()
    assert [one["importance"] for one in found] == pytest.approx(
        sorted(shares, reverse=True), abs=1e-5
    )
    assert found[0]["name"].replace("_", " ") in ("petal length (cm)", "petal width (cm)")


def test_behind_a_pipeline_features_have_its_names():
    table, target = artifacts.people()
    model = boosters.mixed(boosters.models()["lightgbm"][0], sparse=True)
    model.fit(table[:200], np.unique(target, return_inverse=True)[1][:200])

    found = importances_of(model, list(table))

    assert {"numbers__age", "numbers__income"} <= {one["name"] for one in found}


def test_the_greatest_of_many():
    found = importances_of(artifacts.fitted("forest_digits"), [f"x{n}" for n in range(64)])

    shares = [one["importance"] for one in found]
    assert len(found) == MAX_SHOWN
    assert shares == sorted(shares, reverse=True)


def test_a_model_without_importances():
    assert importances_of(LogisticRegression(), ["x"]) == []
