"""The papers are true: every setting, endpoint and error code is written down."""

import importlib
import re
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from mlplatform.foundation.errors import Problem

ROOT = Path(__file__).parent.parent
API = (ROOT / "docs/api.md").read_text()
ENV = (ROOT / ".env.example").read_text()


def routes(patterns, prefix=""):
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def api_paths():
    paths = {r for r in routes(get_resolver().url_patterns) if r.startswith("api/v1/")}
    return sorted(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path[len("api/v1") :]) for path in paths)


@pytest.mark.parametrize("path", api_paths())
def test_every_endpoint_is_documented(path):
    assert re.search(rf"`(?:[A-Z]+ )+{re.escape(path)}`", API), f"docs/api.md lacks {path}"


def test_every_setting_is_in_the_example():
    source = (ROOT / "mlplatform/settings.py").read_text()
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z0-9_]+)"', source))

    assert {name for name in names if not re.search(rf"^(?:# )?{name}=", ENV, re.M)} == set()


def test_the_example_names_no_unknown_setting():
    source = (ROOT / "mlplatform/settings.py").read_text()

    named = re.findall(r"^(?:# )?([A-Z0-9_]+)=", ENV, re.M)
    assert {name for name in named if f'"{name}"' not in source} == set()


def problems(cls):
    for child in cls.__subclasses__():
        yield child
        yield from problems(child)


def test_every_error_code_is_documented():
    for app in ("accounts", "registry", "inference"):
        importlib.import_module(f"{app}.errors")
    # A base of a tree has no code of its own.
    codes = {p.code for p in problems(Problem) if "code" in vars(p)}

    assert {code for code in codes if f"`{code}`" not in API} == set()
