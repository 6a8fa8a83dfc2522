"""One look at an uploaded artifact: what it is, what it takes, its compiled graphs."""

from time import perf_counter
from typing import Any, BinaryIO

from registry.runner.compiler import compile_estimator
from registry.runner.facts import clean, estimator_facts, require_predictor
from registry.runner.hints import hints_of
from registry.runner.importances import importances_of
from registry.runner.opening import open_artifact
from registry.runner.refusals import Refused
from registry.runner.signature_reader import read_signature
from registry.runner.stated import honour

MAX_IMPORTS = 500


def inspect(file: BinaryIO, *, fmt: str) -> tuple[dict[str, Any], list[bytes]]:
    """The report and the compiled graphs, best first, of the artifact in `file`.

    Nothing in it is to be believed further than shown to people: the artifact's
    own code ran in this process. Raises Refused.
    """
    times = [perf_counter()]
    opened = open_artifact(file, fmt=fmt)
    times.append(perf_counter())
    try:
        require_predictor(opened.estimator)
        reading = read_signature(opened.estimator)
        opened.warnings += honour(reading, opened.stated)
        times.append(perf_counter())
        compiled = compile_estimator(reading)
    except MemoryError:
        raise Refused(
            "out_of_memory", "Trying the model needs more memory than a model is allowed."
        ) from None
    facts = estimator_facts(
        opened,
        n_features=len(reading.columns),
        n_outputs=reading.signature["outputs"]["predict"]["count"],
    )
    facts["importances"] = importances_of(
        opened.estimator, [column.name for column in reading.columns]
    )
    report = {
        "estimator": facts,
        "scan": {"imports": [clean(name) for name in opened.imports[:MAX_IMPORTS]]},
        "signature": reading.signature,
        "methods": reading.methods,
        "graphs": [{"precision": precision} for precision in compiled.precisions],
        "not_compiled": compiled.reason,
        "seconds": {"signature": times[2] - times[1], "compiled": perf_counter() - times[2]},
        # Last: of a report that is too long only these are cut off.
        "hints": hints_of(reading),
    }
    return report, compiled.graphs
