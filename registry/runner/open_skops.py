"""skops files: a zip of a schema and arrays, built by the library from types of our list only.

Never a fall-back to pickle: what this does not open is not opened.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import skops
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from registry.runner.archive import MAX_TOTAL, Archive
from registry.runner.facts import clean
from registry.runner.loading import Opened, opened_by
from registry.runner.refusals import Refused
from registry.runner.skops_types import LIBRARIES, NODES, is_allowed, is_known

MAX_SCHEMA = 64 << 20
MAX_NODES = 2_000_000
# Protocol 0 let functions be named in two ways.
PROTOCOLS = (1, 2)
SAVE_AGAIN = "Load it and save it again with a newer skops."


def open_skops(content: bytes) -> Opened:
    """Raises Refused, naming the type that is not allowed, or MemoryError."""
    archive = Archive(content)
    nodes = list(_nodes_of(_schema_of(archive)))
    _check_arrays(archive, nodes)
    names = _checked_names(nodes)
    return opened_by(lambda: _built(content, names), names)


def types_of(content: bytes) -> list[str]:
    """What the file says it is made of, nothing of it built. Raises Refused."""
    nodes = _nodes_of(_schema_of(Archive(content)))
    return list(dict.fromkeys(_name_of(node) for node in nodes))


def _schema_of(archive: Archive) -> dict[str, Any]:
    try:
        schema = json.loads(archive.read("schema.json", limit=MAX_SCHEMA))
    except RecursionError:
        raise _unreadable("it nests objects too deeply to be a model") from None
    except ValueError:
        raise _unreadable("its schema is no JSON") from None
    protocol = schema.get("protocol") if isinstance(schema, dict) else None
    if type(protocol) is not int or protocol not in PROTOCOLS:
        raise _unreadable(f"its protocol is {str(protocol)[:20]!r}", SAVE_AGAIN)
    return schema


def _nodes_of(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object with a loader, however deep it is and whatever it is called."""
    waiting: list[Any] = [schema]
    count = 0
    while waiting:
        one = waiting.pop()
        count += 1
        if count > MAX_NODES:
            raise _unreadable("it has too many parts")
        if isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict):
            waiting.extend(one.values())
            if isinstance(one.get("__loader__"), str):
                yield one


def _check_arrays(archive: Archive, nodes: list[dict[str, Any]]) -> None:
    """One member may be named often, and is read as often; a sparse matrix is a zip itself."""
    names = [node["file"] for node in nodes if isinstance(node.get("file"), str)]
    if sum(map(archive.size_of, names)) > MAX_TOTAL:
        raise _unreadable("its arrays need more memory than a model is allowed")
    for name in set(names):
        if name.endswith(".npz"):
            Archive(archive.read(name))


def _checked_names(nodes: list[dict[str, Any]]) -> list[str]:
    names: dict[str, None] = {}
    for node in nodes:
        if node["__loader__"] not in NODES:
            raise _not_allowed(f"{clean(node['__loader__'])} ({_name_of(node)})")
        module, name = str(node.get("__module__")), str(node.get("__class__"))
        if not is_allowed(module, name):
            raise _why_not(module, name)
        names[f"{module}.{name}"] = None
    return list(names)


def _name_of(node: dict[str, Any]) -> str:
    return clean(f"{node.get('__module__')}.{node.get('__class__')}")


def _why_not(module: str, name: str) -> Refused:
    root = module.partition(".")[0]
    full = clean(f"{module}.{name}")
    if is_known(module, name) or root in sys.builtin_module_names:
        return _not_allowed(full)
    if root in LIBRARIES:
        return Refused(
            "needs_module",
            f"The model uses {full}, which the {root} that runs here does not have. Train and "
            "save it again with that version.",
        )
    return Refused(
        "needs_module",
        f"The model needs {full}, which is not available here. Of scikit-learn, XGBoost, "
        "LightGBM, CatBoost, NumPy and SciPy a skops file may hold models.",
    )


def _not_allowed(what: str) -> Refused:
    return Refused(
        "type_not_allowed",
        f"The skops file holds {what}, which is not on the list of what such a file may hold: "
        "estimators of scikit-learn, XGBoost, LightGBM and CatBoost, arrays and plain values.",
    )


def _built(content: bytes, names: list[str]) -> Any:
    try:
        return skops.io.loads(content, trusted=names)
    except MemoryError:
        raise
    except UntrustedTypesFoundException as error:
        raise _not_allowed(clean(str(error))) from None
    except RecursionError:
        raise _unreadable("it nests objects too deeply to be a model") from None
    except Exception as error:
        said = clean(f"{type(error).__name__}: {error}")
        raise _unreadable(f"skops {skops.__version__} cannot open it ({said})") from None


def _unreadable(
    why: str, advice: str = "Save it again with skops.io.dump(model, path)."
) -> Refused:
    return Refused("unreadable", f"The skops file is refused: {why}. {advice}")
