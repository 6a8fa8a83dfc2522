import logging
import operator
import os
import pickle
import random
from time import monotonic

import catboost
import cloudpickle
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from registry.runner import scan
from registry.runner.loading import decompressed
from registry.runner.pickle_walk import walk
from registry.runner.refusals import Refused
from registry.runner.scan_report import MAX_FINDINGS, pickle_report
from tests import artifacts, hostile
from tests.hostile import bombs, names, pickles
from tests.hostile.bytes import PROTO, STOP, Bait, call, calling, name
from tests.registry.runner.reading import inspect

NAMES = sorted(artifacts.hostile(""))


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_is_refused_and_does_nothing(name, tmp_path):
    folder = str(tmp_path / "made")

    with pytest.raises(Refused) as caught:
        inspect(artifacts.hostile(folder)[name])

    assert caught.value.code == "hostile"
    assert "a model does not need that" in caught.value.reason
    assert not os.path.exists(folder)


def test_the_reason_names_the_call():
    with pytest.raises(Refused) as caught:
        inspect(artifacts.hostile("/nowhere")["getpid"])

    assert caught.value.reason == (
        "The file would call posix.getpid while loading; a model does not need that."
    )


def test_an_attempt_that_is_swallowed_is_still_known(tmp_path):
    def swallow() -> None:
        with scan.watching():
            try:
                os.mkdir(tmp_path / "made")
            except Refused:
                pass

    with pytest.raises(Refused, match=r"os\.mkdir"):
        swallow()


@pytest.mark.parametrize("how", ["pickle0", "pickle2", "pickle4"])
def test_it_lists_imports_without_opening(how):
    found = scan.imports_of(artifacts.dump(artifacts.Calling(os.getpid), how))

    assert found == ["posix.getpid"]


@pytest.mark.parametrize("name", sorted(artifacts.NUMERIC))
def test_honest_models_pass(name):
    names = scan.refuse_imports(artifacts.dump(artifacts.fitted(name), "pickle"))

    assert any(one.startswith("sklearn.") for one in names)


HOWS = ("pickle0", "pickle2", "pickle4", "pickle5", "joblib", "compressed")


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", sorted(artifacts.NUMERIC))
def test_the_report_has_nothing_against_honest_models(name, how):
    report = pickle_report(decompressed(artifacts.dump(artifacts.fitted(name), how)))

    assert report["findings"] == []
    assert any(one.startswith("sklearn.") for one in report["imports"])


@pytest.mark.parametrize("name", NAMES)
def test_the_report_warns_of_hostile_files(name):
    report = pickle_report(decompressed(artifacts.hostile("/nowhere")[name]))

    assert [one["severity"] for one in report["findings"]] == ["dangerous"]


def test_the_report_says_what_is_called_and_where():
    report = pickle_report(artifacts.dump(artifacts.Calling(os.mkdir, "/nowhere"), "pickle0"))

    assert report == {
        "imports": ["posix.mkdir"],
        "findings": [
            {
                "severity": "dangerous",
                "what": "posix.mkdir",
                "at": 34,
                "detail": "Loading would call posix.mkdir with 1 argument, at byte 34.",
            }
        ],
    }


BAIT = Bait("/nowhere", "/nowhere", 1)
CALLING = (
    pickles.opcode_tricks,
    pickles.compressions,
    names.aliases,
    names.programs,
    names.readers,
    names.callers,
    names.patches,
)
SUSPICIOUS = hostile.corpus(CALLING, BAIT)
# Stacks that make no sense, and a pickle that is compressed twice, which nobody would open.
SENSELESS = {"only a mark", "zlib twice"}


@pytest.mark.parametrize("file", sorted(set(SUSPICIOUS) - SENSELESS))
def test_the_report_misses_none_of_the_tricks(file):
    report = pickle_report(decompressed(SUSPICIOUS[file]))

    assert report["findings"] != []
    assert all(one["detail"].endswith(".") for one in report["findings"])


MADE = [
    file
    for group in (pickles.opcode_tricks, pickles.compressions, names.aliases)
    for file, content in group(BAIT).items()
    if file not in SENSELESS and b"mkdir" in decompressed(content)
]


@pytest.mark.parametrize("file", sorted(set(MADE) - {"a persistent id", "a zip behind"}))
def test_the_report_finds_the_same_call_in_every_spelling(file):
    report = pickle_report(decompressed(SUSPICIOUS[file]))

    assert "dangerous" in {one["severity"] for one in report["findings"]}
    assert {one["what"] for one in report["findings"]} & WAYS


# The call itself, or what leads to it by a text.
_WAYS = """
    posix.mkdir builtins.eval pkgutil.resolve_name pydoc.locate operator.methodcaller
    copyreg.add_extension os
"""
WAYS = set(_WAYS.split())


BOMBS = bombs.bombs(BAIT)


@pytest.mark.parametrize("file", sorted(BOMBS))
def test_no_file_takes_the_scanner_long(file):
    try:
        stream = decompressed(BOMBS[file])
    except (Refused, MemoryError):
        return
    started = monotonic()

    report = pickle_report(stream)

    assert len(report["findings"]) <= MAX_FINDINGS
    assert monotonic() - started < 30  # it stops itself after two, on a machine that has time


def test_many_names_are_cut_off():
    content = PROTO + b"".join(name("os", f"n{number}") for number in range(6000)) + STOP

    report = pickle_report(content)

    assert len(report["imports"]) == 500
    assert len(report["findings"]) == MAX_FINDINGS


def test_an_alias_is_told_with_what_it_stands_for():
    report = pickle_report(calling("sklearn.datasets._base", "os.mkdir", "/nowhere"))

    assert report["imports"] == ["sklearn.datasets._base.os.mkdir"]
    assert report["findings"][0]["detail"] == (
        "Loading would call posix.mkdir (written sklearn.datasets._base.os.mkdir) with 1 "
        "argument, at byte 54."
    )


def test_functions_that_loading_calls_are_unknown_and_those_it_keeps_are_not():
    called = pickle_report(calling("numpy", "log1p", 1.0))
    kept = pickle_report(PROTO + name("numpy", "log1p") + STOP)

    assert [one["severity"] for one in called["findings"]] == ["unknown"]
    assert kept["findings"] == []


def test_code_of_the_authors_own_is_unknown():
    function = FunctionTransformer(lambda rows: rows)

    findings = pickle_report(cloudpickle.dumps(function))["findings"]

    assert {one["severity"] for one in findings} == {"unknown"}
    assert "cloudpickle.cloudpickle._make_function" in {one["what"] for one in findings}


@pytest.mark.parametrize("model", ["XGBClassifier", "LGBMClassifier", "CatBoostClassifier"])
@pytest.mark.parametrize("how", ["pickle2", "pickle4", "joblib"])
def test_the_report_has_nothing_against_boosters(model, how):
    fitted = BOOSTERS[model]().fit(*artifacts.data("iris"))

    assert pickle_report(artifacts.dump(fitted, how))["findings"] == []


BOOSTERS = {
    "XGBClassifier": lambda: xgboost.XGBClassifier(n_estimators=2, n_jobs=1),
    "LGBMClassifier": lambda: lightgbm.LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1),
    "CatBoostClassifier": lambda: catboost.CatBoostClassifier(
        iterations=2, thread_count=1, verbose=0, allow_writing_files=False
    ),
}


def records():
    kinds = [("a", "i4"), ("b", "f8"), ("c", "U5")]
    return np.rec.array([(1, 2.0, "ab")], dtype=kinds)


HONEST = {
    "records": records,
    "records with objects": lambda: np.array([(1, "x")], dtype=[("a", "i4"), ("o", object)]),
    "nested records": lambda: np.zeros(2, dtype=[("a", "f4", (2, 3))]),
    "dates": lambda: np.array(["2020-01-01", "2021-01-01"], "M8[ns]"),
    "texts": lambda: np.array(["abc", "defgh"]),
    "bytes": lambda: np.array([b"a", b"bcd"]),
    "complex": lambda: np.zeros(3, complex),
    "big endian": lambda: np.arange(5, dtype=">f8"),
    "long doubles": lambda: np.zeros(3, np.longdouble),
    "a number": lambda: np.array(5.0),
    "nothing": lambda: np.zeros((0, 4)),
    "by columns": lambda: np.asfortranarray(np.ones((3, 4))),
    "masked": lambda: np.ma.array([1, 2], mask=[0, 1]),
    "a frame": lambda: pd.DataFrame({"a": [1], "b": ["x"], "c": pd.to_datetime(["2020"])}),
    "categories": lambda: pd.Series(pd.Categorical(["a", "b"])),
    "strings": lambda: pd.Series(["a", "b"], dtype="string"),
    "intervals": lambda: pd.interval_range(0, 3),
    "a generator": lambda: np.random.default_rng(0),
    "an old generator": lambda: np.random.RandomState(0),
}


@pytest.mark.parametrize("how", ["pickle0", "pickle2", "pickle4", "joblib", "compressed"])
@pytest.mark.parametrize("thing", HONEST)
def test_the_report_follows_whatever_arrays_there_are(thing, how):
    content = artifacts.dump([HONEST[thing](), np.arange(3.0), "end"], how)

    found = walk(decompressed(content))

    assert (found.complete, found.lost, found.oddities) == (True, 0, {})
    assert pickle_report(decompressed(content))["findings"] == []


def test_what_honest_files_may_hold_is_at_most_unknown(tmp_path):
    mapped = np.memmap(tmp_path / "mapped", dtype="f8", mode="w+", shape=(5,))
    steps = [("lower", FunctionTransformer(operator.methodcaller("copy")))]
    remembering = Pipeline(steps, memory=joblib.Memory(None))

    for thing in (mapped, remembering, logging.getLogger("mine")):
        findings = pickle_report(pickle.dumps(thing))["findings"]
        assert {one["severity"] for one in findings} == {"unknown"}


def test_overwriting_what_is_imported_is_dangerous():
    content = PROTO + name("sklearn.base", "BaseEstimator") + pickle.dumps({"a": 1})[2:-1] + b"b."

    assert pickle_report(content)["findings"] == [
        {
            "severity": "dangerous",
            "what": "sklearn.base.BaseEstimator",
            "at": 50,
            "detail": "Loading would overwrite parts of sklearn.base.BaseEstimator, at byte 50.",
        }
    ]


def test_a_name_that_is_made_up_while_loading_is_dangerous():
    made = call(name("builtins", "str"), "system")

    found = pickle_report(PROTO + b"\x8c\x02os" + made + b"\x93" + STOP)["findings"]

    assert [(one["severity"], one["what"]) for one in found] == [("dangerous", "a computed name")]


@pytest.mark.parametrize("seed", range(20))
def test_no_rubbish_upsets_the_scanner(seed):
    chance = random.Random(seed)
    contents = [artifacts.dump(artifacts.fitted("forest"), how) for how in HOWS[:5]]
    contents += [content for content in SUSPICIOUS.values() if len(content) > 20]
    for _ in range(15):
        content = bytearray(chance.choice(contents))
        for _ in range(chance.randint(1, 30)):
            content[chance.randrange(len(content))] = chance.randrange(256)

        report = pickle_report(bytes(content))

        assert len(report["findings"]) <= MAX_FINDINGS
        assert all(one["at"] is None or one["at"] >= 0 for one in report["findings"])
