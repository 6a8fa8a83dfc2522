"""Rules of the house that no linter knows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).parent.parent
APPS = ["mlplatform", "accounts", "registry", "inference", "jobs"]
MODULES = sorted(
    path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts
)


def test_no_name_says_nothing():
    forbidden = {"utils.py", "helpers.py", "services.py", "common.py", "misc.py"}

    assert [path for path in MODULES if path.name in forbidden] == []


def test_no_module_is_longer_than_400_lines():
    assert {
        str(path.relative_to(ROOT)): lines
        for path in MODULES
        if (lines := len(path.read_text().splitlines())) > 400
    } == {}


@pytest.mark.django_db
def test_migrations_are_complete():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_celery_carries_hints_only():
    """PostgreSQL holds every intent (docs/adr/0007): nothing may wait for a Celery result."""
    forbidden = re.compile(r"\b(chord|revoke_by|AsyncResult|result_backend|\.apply_async\(|eta=)")
    uses = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in MODULES
        for line in path.read_text().splitlines()
        if forbidden.search(line) and "embedded" not in path.parts
    ]

    assert uses == []


def test_every_view_reaches_rows_through_the_organization():
    """`Model.objects.get/all/filter` in a view forgets the tenant."""
    careless = re.compile(
        r"\b(RegisteredModel|ModelVersion|Alias|Prediction|APIKey)\.objects\.(?!for_organization)"
    )
    views = [*ROOT.glob("*/views.py"), *ROOT.glob("*/api/views.py")]

    assert [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in views
        for line in path.read_text().splitlines()
        if careless.search(line)
    ] == []


def test_the_wiring_contract_names_every_module_of_the_project():
    contract = (ROOT / "pyproject.toml").read_text()
    modules = {path.stem for path in (ROOT / "mlplatform").glob("*.py")} - {"__init__"}

    assert {name for name in modules if f'"mlplatform.{name}"' not in contract} == set()


def test_the_web_process_imports_no_model_library():
    """What parses a model file may not even be loaded where the secrets are."""
    program = (
        "import sys, mlplatform.wsgi; from django.urls import get_resolver; "
        "get_resolver().url_patterns; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}

    libraries = {"sklearn", "joblib", "onnx", "onnxruntime", "skl2onnx", "scipy", "pandas",
                 "cloudpickle", "skops", "xgboost", "lightgbm", "catboost", "pyarrow"}  # fmt: skip
    assert loaded & libraries == set()
    assert "registry.runner.loading" not in done.stdout.split()
