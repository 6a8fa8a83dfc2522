"""The uploader's own sample against the model: read, described, and answered as expected.

The table is read by a child that opens no model; what the original answers to it comes from
another, and is compared here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, BinaryIO

from django.conf import settings

from registry import artifacts, expected
from registry.estimator import Estimator
from registry.models import ModelVersion
from registry.profile import described, profile_of
from registry.rows import Rows
from registry.sample import Sample, UnusableSample, faults_told, read_sample
from registry.sandbox import Host, Inspection, Runner
from registry.sandbox_errors import BadReply, ChildDied, ChildTimedOut, ModelRaised, ModelRefused
from registry.signature import InvalidRows, Signature

# A model so slow that it does not answer the whole sample by then is judged by the rows it did.
SECONDS = 15.0
FIRST_CHUNK = 50  # rows; each chunk is twice the last
CANNOT_BE_READ = (
    "Reading the table took more time or memory than it may, or ended its reader. Save it anew, "
    "with fewer rows or as CSV."
)


class SampleUnreadable(ModelRefused):
    code = "sample_unreadable"


class AnswersDiffer(ModelRefused):
    code = "answers_differ"


@dataclass(frozen=True)
class Checked:
    """`rows` join those that a graph is judged by; None without a sample."""

    signature: Signature
    rows: Rows | None = None
    warnings: tuple[str, ...] = ()


def check_sample(
    runner: Runner,
    version: ModelVersion,
    artifact: BinaryIO,
    inspection: Inspection,
    signature: Signature,
) -> Checked:
    """What the version's sample adds to its signature, after the model has answered it.

    Raises SampleUnreadable or AnswersDiffer, which reject the version: who gives a sample has
    asked for this check. Raises SandboxError when the model cannot be asked.
    """
    model = Estimator.from_json(inspection.report.get("estimator") or {})
    if not version.sample_digest:
        return Checked(signature, warnings=_of_release(model, None))
    sample = _read(runner, version, signature)
    rows = _rows(signature, sample.instances)
    profile = profile_of(signature, sample.instances, of_rows=sample.of_rows)
    answers = _answers(runner, version, artifact, signature, rows)
    found = None
    if sample.expected is not None:
        found = expected.compare(sample.expected, answers)
        profile["expected"] = {"column": version.expected_column, **found.to_json()}
    version.keep_profile(profile)
    if found is not None:
        _require_equal(found, version.expected_column, model)
    rows = rows.first(len(answers))
    return Checked(described(signature, profile), rows, _of_release(model, found))


def _read(runner: Runner, version: ModelVersion, signature: Signature) -> Sample:
    deadline = settings.ADMISSION_DEADLINE_SECONDS
    with artifacts.open_artifact(version.sample_digest) as file:
        try:
            table = runner.read_table(file.fileno(), deadline=deadline)
        except ModelRefused as error:
            raise SampleUnreadable(error.reason) from error
        except (ChildDied, ChildTimedOut, BadReply) as error:
            raise SampleUnreadable(CANNOT_BE_READ) from error
    try:
        return read_sample(table, signature, expected=version.expected_column)
    except UnusableSample as error:
        raise SampleUnreadable(str(error)) from error


def _rows(signature: Signature, instances: Sequence[Any]) -> Rows:
    pointers = [f"/rows/{number}" for number in range(1, len(instances) + 1)]
    try:
        return signature.to_rows(instances, pointers=pointers, first=1)
    except InvalidRows as error:
        raise SampleUnreadable(faults_told(error)) from error


def _answers(
    runner: Runner, version: ModelVersion, artifact: BinaryIO, signature: Signature, rows: Rows
) -> list[list[Any]]:
    """What the original answers to the rows, or to as many as there is time for."""
    host = runner.fresh_host(kind="estimator")
    try:
        host.load(
            version.digest,
            artifact.fileno(),
            fmt=version.format,
            signature=signature.to_json(),
            deadline=settings.LOAD_DEADLINE_SECONDS,
        )
        return _in_chunks(host, version.digest, rows)
    finally:
        host.close()


def _in_chunks(host: Host, digest: str, rows: Rows) -> list[list[Any]]:
    answers: list[list[Any]] = []
    ends_at = monotonic() + SECONDS
    size = FIRST_CHUNK
    while len(answers) < rows.count and (not answers or monotonic() < ends_at):
        indexes = range(len(answers), min(len(answers) + size, rows.count))
        try:
            answers += _ask(host, digest, rows.pick(indexes))
        except ModelRaised as error:
            row = _first_refused(host, digest, rows, indexes)
            raise SampleUnreadable(
                f"The model fails on row {row + 1} of the sample: {error.reason}"
            ) from error
        size *= 2
    return answers


def _ask(host: Host, digest: str, rows: Rows) -> list[list[Any]]:
    deadline = settings.ADMISSION_DEADLINE_SECONDS
    outputs = host.predict(digest, rows, ["predict"], deadline=deadline)
    return expected.by_row(outputs["predict"])


def _first_refused(host: Host, digest: str, rows: Rows, among: range) -> int:
    """Where the first row is that the model raises at, by halving."""
    while len(among) > 1:
        half = among[: len(among) // 2]
        try:
            _ask(host, digest, rows.pick(half))
            among = among[len(half) :]
        except ModelRaised:
            among = half
    return among[0]


def _require_equal(found: expected.Comparison, column: str, model: Estimator) -> None:
    """Raises AnswersDiffer or SampleUnreadable."""
    if found.rows == 0:
        raise SampleUnreadable(f"The sample's column {column} holds no expected answer at all.")
    if found.differing == 0:
        return
    cause = " Check that the column holds what this very model predicted."
    if model.is_of_another_release:
        cause = (
            f" The model was trained with {model.releases}, which is the likely cause: fit and "
            f"save it again with {model.runs_with}."
        )
    raise AnswersDiffer(found.told(column) + cause)


def _of_release(model: Estimator, found: expected.Comparison | None) -> tuple[str, ...]:
    """What to say of a model of another release: whether its answers are the same here."""
    if not model.is_of_another_release:
        return ()
    if found is None:
        return (
            f"Trained with {model.releases}: some models answer differently then, without a word. "
            "Upload it with a sample and its expected answers to have that checked.",
        )
    rows = "1 row" if found.rows == 1 else f"{found.rows} rows"
    return (f"Trained with {model.releases}: answers verified on your sample ({rows}).",)
