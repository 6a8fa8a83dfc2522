"""What inspectors report, in exactly the shapes that were promised. No framework in here.

The artifact's code may run in an inspector, and parsers there have met a stranger's bytes:
sizes and types are checked before anything is kept.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from registry.formats import FORMATS
from registry.plain_text import clean, clean_json
from registry.runner.frames import Frame

MAX_GRAPHS = 8
MAX_IMPORTS = 500
MAX_FINDINGS = 100
SEVERITIES = ("dangerous", "unknown")
FINDING = ("severity", "what", "at", "detail")
MAX_TABLE_ROWS = 5_000
MAX_TABLE_COLUMNS = 2_000


class Unusable(ValueError):
    """The report has another shape than was asked for."""


@dataclass(frozen=True)
class Inspection:
    """What an inspector reports, cleaned, and the graphs it compiled. All of it is a claim."""

    report: dict[str, Any]
    graphs: list[bytes]


def scanned(frame: Frame) -> dict[str, Any]:
    """See `registry.sandbox.Runner.scan`. Raises Unusable."""
    return scan_report(frame.header.get("report"))


def scan_report(report: object) -> dict[str, Any]:
    """The scanner's report, with nothing in it but what was promised. Raises Unusable."""
    if not isinstance(report, dict) or report.get("format") not in FORMATS:
        raise Unusable("The scanner's report makes no sense.")
    imports, findings = report.get("imports"), report.get("findings")
    if not _is_list(imports, MAX_IMPORTS) or not _is_list(findings, MAX_FINDINGS):
        raise Unusable("The scanner's report is too long, or no report.")
    if not all(type(name) is str for name in imports) or not all(map(_is_finding, findings)):
        raise Unusable("The scanner's report makes no sense.")
    named = [{name: one[name] for name in FINDING} for one in findings]
    return clean_json({"format": report["format"], "imports": imports, "findings": named})


def inspection(frame: Frame) -> Inspection:
    """See `registry.sandbox.Runner.inspect`. Raises Unusable."""
    report, sizes = frame.header.get("report"), frame.header.get("graph_sizes")
    if not isinstance(report, dict) or not isinstance(sizes, list) or len(sizes) > MAX_GRAPHS:
        raise Unusable("The inspector's report makes no sense.")
    if not all(type(size) is int and size > 0 for size in sizes) or sum(sizes) != len(frame.body):
        raise Unusable("The inspector's graphs are not as long as it says.")
    graphs, start = [], 0
    for size in sizes:
        graphs.append(bytes(frame.body[start : start + size]))
        start += size
    told = clean_json(report)
    if type(told.get("not_compiled")) is not str:
        told["not_compiled"] = ""  # it is shown wherever the version is: a sentence, or nothing
    return Inspection(report=told, graphs=graphs)


def table(frame: Frame) -> dict[str, Any]:
    """See `registry.sandbox.Runner.read_table`. Raises Unusable.

    Values are left as they are, for models are asked about them: who shows one cleans it.
    """
    try:
        told = orjson.loads(frame.body)
        read, rows, dates = told["read"], told["rows"], [clean(name) for name in told["dates"]]
        columns = {clean(name): values for name, values in told["columns"].items()}
        is_whole = len(columns) == len(told["columns"])
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise Unusable("The table's description makes no sense.") from None
    if not (type(read) is type(rows) is int and 0 < read <= min(rows, MAX_TABLE_ROWS)):
        raise Unusable("The table's reader says nothing of its rows.")
    if not is_whole or not 0 < len(columns) <= MAX_TABLE_COLUMNS:
        raise Unusable("The table has too many columns, or two that look the same once cleaned.")
    if not all(_is_column(values, read) for values in columns.values()):
        raise Unusable("A column of the table is not what its reader says.")
    typed = told.get("typed") is True
    return {"columns": columns, "rows": rows, "read": read, "typed": typed, "dates": dates}


def _is_list(value: object, most: int) -> bool:
    return isinstance(value, list) and len(value) <= most


def _is_finding(one: object) -> bool:
    return (
        isinstance(one, dict)
        and one.get("severity") in SEVERITIES
        and type(one.get("what")) is str
        and type(one.get("detail")) is str
        and (one.get("at") is None or (type(one.get("at")) is int and one["at"] >= 0))
        and "at" in one
    )


def _is_column(values: object, length: int) -> bool:
    plain = {str, int, float, bool, type(None)}
    return isinstance(values, list) and len(values) == length and set(map(type, values)) <= plain
