"""Models of older releases of scikit-learn answer as they did there, compiled or not.

The files and answers were made by those releases: see tests/fixtures/old_versions/make.py.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from registry.rows import Rows
from registry.runner import old_versions
from tests.registry.runner.reading import inspect, load, matrix

FOLDER = Path(__file__).parents[2] / "fixtures" / "old_versions"
FILES = sorted(path.stem for path in FOLDER.glob("*.joblib"))


def asked(rows):
    """Numbers, texts, or columns by name: a run of strings is a block of its own."""
    if isinstance(rows, dict):
        numbers = [np.array(rows[name], dtype=float) for name in ("age", "rank")]
        blocks = [numbers[0][:, None], rows["city"], numbers[1][:, None]]
        return Rows(blocks, len(rows["city"]))
    return Rows([rows], len(rows)) if isinstance(rows[0], str) else matrix(rows)


@pytest.mark.parametrize("name", FILES)
def test_it_answers_as_it_did(name):
    version, _, model = name.partition("-")
    known = json.loads((FOLDER / f"{version}.json").read_text())[model]
    content = (FOLDER / f"{name}.joblib").read_bytes()
    report, graphs = inspect(content)
    rows = asked(known.pop("rows"))

    predictors = [load(content, report["signature"])]
    predictors += [load(graph, report["signature"], "graph") for graph in graphs[:1]]

    for predictor in predictors:
        answer = predictor.predict(rows, list(known))
        for method, expected in known.items():
            if isinstance(np.ravel(expected)[0], str):
                assert answer[method] == expected
            else:
                shaped = np.asarray(answer[method]).reshape(np.shape(expected))
                np.testing.assert_allclose(shaped, expected, rtol=1e-6, atol=1e-9)


def test_it_knows_the_release():
    report, _ = inspect((FOLDER / "1.2.2-forest.joblib").read_bytes())

    assert report["estimator"]["trained_with"] == "1.2.2"


@pytest.mark.parametrize(
    ("version", "numbers"), [("1.3.2", (1, 3)), ("1.4.dev0", (1, 4)), ("?", (0,))]
)
def test_numbers_of_a_release(version, numbers):
    assert old_versions.numbers_of(version) == numbers


def test_every_file_is_small():
    assert len(FILES) == 30
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < 15_000
