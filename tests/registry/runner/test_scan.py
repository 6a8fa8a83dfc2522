import os

import pytest

from registry.runner import scan
from registry.runner.loading import decompressed
from registry.runner.refusals import Refused
from registry.runner.scan_report import pickle_report
from tests import artifacts
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
