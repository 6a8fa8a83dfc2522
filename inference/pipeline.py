"""The hot path: from rows to an answer. Knows no HTTP.

In two parts, since what the cache has is read with the one call of Redis that lets the
request in: `understand` the rows, then `answer` them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter_ns
from typing import Any
from uuid import UUID

from inference import hosts, prediction_cache, prediction_log
from inference.errors import BadReply, InvalidInput, SpoolFull
from inference.outputs import RowAnswer, to_answers
from inference.prediction_log import Entry
from mlplatform.foundation.errors import Problem
from mlplatform.foundation.uuid7 import created_at, uuid7
from registry.rows import Rows
from registry.serving import Served
from registry.signature import InvalidRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, as the log remembers it."""

    user_id: UUID | None
    api_key_id: UUID | None
    request_id: str
    source: str = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`probabilities` is None where the model has none; `cache` is HIT, MISS, PARTIAL or BYPASS."""

    prediction_id: UUID
    predictions: list[Any]
    probabilities: list[Any] | None
    cached_rows: int
    cache: str
    latency_us: int
    warnings: Sequence[Mapping[str, str]] = ()

    @property
    def cached(self) -> bool:
        return self.cache == "HIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """The rows of a request, or the fault in them; `wanted` is what to read from Redis."""

    served: Served
    instances: Sequence[Any]
    rows: Rows | None
    fault: Problem | None
    keys: list[bytes]
    wanted: list[bytes]
    started: int
    warnings: Sequence[Mapping[str, str]] = ()


def understand(
    served: Served, instances: Sequence[Any], pointers: Sequence[str], *, use_cache: bool = True
) -> Understood:
    """Check the rows; never raises: `answer` does, once the request is let in.

    `pointers` say where in the request each instance is. With `use_cache`
    false nothing is looked up; what is found out is remembered all the same.
    """
    started = perf_counter_ns()
    rows, fault, keys, warnings = None, None, [], ()
    try:
        rows = _checked(served, instances, pointers)
        keys = prediction_cache.keys_for(served, served.signature.methods, rows)
        warnings = served.signature.warnings(rows, instances, pointers=pointers)
    except InvalidInput as problem:
        fault = problem
    return Understood(
        served=served,
        instances=instances,
        rows=rows,
        fault=fault,
        keys=keys,
        wanted=keys if use_cache else [],
        started=started,
        warnings=warnings,
    )


def answer(asked: Understood, found: Sequence[bytes | None] | None, *, caller: Caller) -> Answer:
    """What the cache has (`found`, the values of `asked.wanted`), else the model's own answer.

    Logged, a failure too. Raises InvalidInput, what `hosts.predict` raises, or SpoolFull.
    """
    entry = _entry(asked.served, asked.instances, caller)
    with _failure_logged(entry, asked.started):
        if asked.fault is not None:
            raise asked.fault
        known = prediction_cache.load(found) if found and asked.wanted else None
        answers = _completed(asked.served, asked.rows, asked.keys, known)

    given = _answer(entry.id, answers, known, asked)
    outputs = _outputs(given) if asked.served.payloads.keeps(entry.id) else None
    prediction_log.append(
        replace(entry, cached_rows=given.cached_rows, latency_us=given.latency_us, outputs=outputs)
    )
    return given


def _outputs(given: Answer) -> dict[str, Any]:
    outputs = {"predictions": given.predictions}
    if given.probabilities is not None:
        outputs["probabilities"] = given.probabilities
    return outputs


def _checked(served: Served, instances: Sequence[Any], pointers: Sequence[str]) -> Rows:
    try:
        return served.signature.to_rows(
            instances, pointers=pointers, ignore_unknown=served.ignores_unknown
        )
    except InvalidRows as error:
        detail = error.errors[0]["detail"]
        if error.total > 1:
            detail = f"{error.total} values do not fit, the first: {detail}"
        raise InvalidInput(f"{detail}.", errors=error.errors, total_errors=error.total) from error


def _completed(
    served: Served, rows: Rows, keys: list[bytes], found: list[RowAnswer | None] | None
) -> list[RowAnswer]:
    """What was found, and the model's own answer for the rest."""
    answers = list(found or [None] * rows.count)
    missing = [index for index, answer in enumerate(answers) if answer is None]
    if missing:
        outputs = hosts.predict(served, rows.pick(missing), served.signature.methods)
        try:
            fresh = to_answers(served.signature, outputs)
        except (TypeError, ValueError) as error:
            raise BadReply("The model's answer does not fit its signature.") from error
        if keys:
            prediction_cache.write([keys[index] for index in missing], fresh)
        for index, answer in zip(missing, fresh, strict=True):
            answers[index] = answer
    return answers


def _answer(
    prediction_id: UUID,
    answers: list[RowAnswer],
    found: list[RowAnswer | None] | None,
    asked: Understood,
) -> Answer:
    cached_rows = len(answers) - (found or []).count(None) if found else 0
    with_probabilities = answers[0][1] is not None
    return Answer(
        prediction_id=prediction_id,
        predictions=[prediction for prediction, _ in answers],
        probabilities=[odds for _, odds in answers] if with_probabilities else None,
        cached_rows=cached_rows,
        cache=_cache_word(cached_rows, len(answers), found is not None),
        latency_us=_microseconds_since(asked.started),
        warnings=asked.warnings,
    )


def _cache_word(cached_rows: int, rows: int, was_asked: bool) -> str:
    if not was_asked:
        return "BYPASS"
    if cached_rows == rows:
        return "HIT"
    return "PARTIAL" if cached_rows else "MISS"


def _entry(served: Served, instances: Sequence[Any], caller: Caller) -> Entry:
    """The log line of a prediction that went well, but for what is not known yet."""
    prediction_id = uuid7()
    payloads = served.payloads
    kept = payloads.keeps(prediction_id)
    return Entry(
        id=prediction_id,
        ts=created_at(prediction_id),
        organization_id=served.organization_id,
        model_id=served.model_id,
        version_id=served.version_id,
        version_number=served.version_number,
        user_id=caller.user_id,
        api_key_id=caller.api_key_id,
        request_id=caller.request_id,
        source=caller.source,
        rows=len(instances),
        status="ok",
        error_code="",
        cached_rows=0,
        latency_us=0,
        inputs=payloads.inputs(instances, served.signature.names) if kept else None,
        outputs=None,
    )


@contextmanager
def _failure_logged(entry: Entry, started: int) -> Iterator[None]:
    try:
        yield
    except Problem as problem:
        latency_us = _microseconds_since(started)
        failed = replace(entry, status="error", error_code=problem.code, latency_us=latency_us)
        try:
            prediction_log.append(failed)
        except SpoolFull:
            # The caller gets no prediction, so none is lost; the cause matters more to them.
            pass
        raise


def _microseconds_since(started: int) -> int:
    return (perf_counter_ns() - started) // 1000
