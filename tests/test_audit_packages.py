"""`.ci/audit_packages.py`: a known hole fails; that nobody could be asked is told as such."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parent.parent / ".ci/audit_packages.py"


@pytest.fixture
def judge():
    spec = importlib.util.spec_from_file_location("audit_packages", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.judge


def package(name, **more):
    return {"name": name, "version": "1.0", "vulns": [], **more}


def test_it_works(judge, capsys):
    assert judge({"dependencies": [package("sound")]}) == 0
    assert capsys.readouterr().out.strip() == "1 packages audited, 0 with known holes."


def test_a_known_hole_fails(judge, capsys):
    hole = {"id": "CVE-2026-1", "fix_versions": ["1.1"], "aliases": []}

    assert judge({"dependencies": [package("sound"), package("open", vulns=[hole])]}) == 1
    assert "open 1.0: CVE-2026-1 (fixed in 1.1)" in capsys.readouterr().out


def test_what_could_not_be_looked_up_is_named(judge, capsys):
    skipped = {"name": "unknown", "skip_reason": "not found"}

    assert judge({"dependencies": [package("sound"), skipped]}) == 0
    assert "NOT AUDITED: unknown" in capsys.readouterr().out
