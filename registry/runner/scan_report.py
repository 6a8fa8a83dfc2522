"""What can be told of an artifact before anything in it is opened.

{"format": one of registry.formats.FORMATS,
 "imports": ["module.name", …],
 "findings": [{"severity": "dangerous" | "unknown", "what": "posix.system",
               "at": offset in the (decompressed) bytes or None, "detail": a sentence}, …]}

No code of the artifact has run in this process, so unlike an inspector's report this one is
ours; only what it says of the file can be deceived. Nothing depends on it: the sandbox is the wall.
"""

from typing import Any, BinaryIO

from registry.formats import MLFLOW, SKLEARN, SKOPS
from registry.runner.facts import clean
from registry.runner.loading import decompressed
from registry.runner.mlflow_folder import read_folder
from registry.runner.open_skops import types_of
from registry.runner.pickle_names import DANGEROUS, UNKNOWN, look_up, real_name, severity_of
from registry.runner.pickle_values import Name, Use, Walk
from registry.runner.pickle_walk import walk
from registry.runner.sniffing import sniff

MAX_IMPORTS = 500
MAX_FINDINGS = 100

ODDITIES = {
    "extension": (
        DANGEROUS,
        "an extension code",
        "The file calls what is registered under a number instead of naming it.",
    ),
    "computed": (
        DANGEROUS,
        "a computed name",
        "The file makes up the name of what it imports while it is loaded.",
    ),
    "computed call": (
        UNKNOWN,
        "a computed call",
        "Loading calls something that another call returns.",
    ),
    "persistent": (
        UNKNOWN,
        "a persistent reference",
        "The file refers to something that is kept outside of it.",
    ),
    "trailing": (
        UNKNOWN,
        "bytes behind the end",
        "The file goes on behind the end of what is loaded.",
    ),
    "lost": (
        UNKNOWN,
        "unreadable bytes",
        "From here on the file cannot be followed; what could be recognized further on is listed.",
    ),
}
NOT_READ = {
    "severity": UNKNOWN,
    "what": "the rest of the file",
    "at": None,
    "detail": "The file is too long or too tangled to be read to its end before it is opened.",
}


def scan_artifact(file: BinaryIO) -> dict[str, Any]:
    """The format by its bytes, and what a pickle would import and call. Raises Refused."""
    content = file.read()
    fmt = inner = sniff(content)
    if fmt == MLFLOW:
        folder = read_folder(content)
        inner, content = folder.fmt, folder.model
    if inner == SKLEARN:
        return {"format": fmt, **pickle_report(decompressed(content))}
    # Of the other formats only skops names what it is made of, and what is not on our list
    # is not opened.
    imports = types_of(content)[:MAX_IMPORTS] if inner == SKOPS else []
    return {"format": fmt, "imports": imports, "findings": []}


def pickle_report(stream: bytes) -> dict[str, Any]:
    """The report's "imports" and "findings" of a pickle, joblib's or any other."""
    found = walk(stream)
    return {
        "imports": [clean(str(name)) for name in list(found.uses)[:MAX_IMPORTS]],
        "findings": _findings(found),
    }


def _findings(found: Walk) -> list[dict[str, Any]]:
    findings = [one for name, use in found.uses.items() if (one := _finding(name, use))]
    findings += [_oddity(kind, at) for kind, at in found.oddities.items() if kind in ODDITIES]
    if "lost" in found.oddities and not found.uses:
        return []  # no pickle at all: opening it will say what it is
    if not found.complete:
        findings.append(NOT_READ)
    # What matters first, for the list is cut off.
    findings.sort(key=lambda one: (one["severity"] != DANGEROUS, one["at"] or 0))
    return findings[:MAX_FINDINGS]


def _finding(name: Name, use: Use) -> dict[str, Any] | None:
    severity = severity_of(name, called=use.called_at is not None, arguments=use.arguments)
    if use.written_at is not None:
        severity = DANGEROUS  # an honest file fills its own objects, not what it imports
    if severity is None:
        return None
    real = real_name(name, look_up(name))
    at = next(at for at in (use.called_at, use.written_at, use.imported_at) if at is not None)
    return {"severity": severity, "what": clean(real), "at": at, "detail": clean(_deed(name, use))}


def _deed(name: Name, use: Use) -> str:
    real = real_name(name, look_up(name))
    what = real if real == str(name) else f"{real} (written {name})"
    if use.called_at is not None:
        count = "" if use.arguments is None else f" with {use.arguments} argument"
        plural = "" if use.arguments in (None, 1) else "s"
        return f"Loading would call {what}{count}{plural}, at byte {use.called_at}."
    if use.written_at is not None:
        return f"Loading would overwrite parts of {what}, at byte {use.written_at}."
    return f"It imports {what}, at byte {use.imported_at}."


def _oddity(kind: str, at: int) -> dict[str, Any]:
    severity, what, detail = ODDITIES[kind]
    return {"severity": severity, "what": what, "at": at, "detail": detail}
