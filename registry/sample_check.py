"""The uploader's own sample against the model: read, described, and answered as expected.

The table is read by a child that opens no model; what the original answers to it comes from
another, and is compared here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from django.conf import settings

from registry import artifacts, expected
from registry.estimator import Estimator
from registry.models import ModelVersion
from registry.profile import described, profile_of
from registry.rows import Rows
from registry.sample import Sample, UnusableSample, faults_told, read_sample
from registry.sandbox import Host, Inspection, ModelRaised, ModelRefused, Runner
from registry.signature import InvalidRows, Signature


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
    if not version.sample_digest:
        return Checked(signature)
    sample = _read(runner, version, signature)
    rows = _rows(signature, sample.instances)
    profile = profile_of(signature, sample.instances, of_rows=sample.of_rows)
    answers = _answers(runner, version, artifact, signature, rows)
    warnings: tuple[str, ...] = ()
    if sample.expected is not None:
        estimator = Estimator.from_json(inspection.report.get("estimator") or {})
        found = expected.compare(sample.expected, answers["predict"])
        profile["expected"] = {"column": version.expected_column, **found.to_json()}
        version.keep_profile(profile)
        warnings = _verdict(found, version.expected_column, estimator)
    version.keep_profile(profile)
    return Checked(described(signature, profile), rows, warnings)


def _read(runner: Runner, version: ModelVersion, signature: Signature) -> Sample:
    deadline = settings.ADMISSION_DEADLINE_SECONDS
    with artifacts.open_artifact(version.sample_digest) as file:
        try:
            table = runner.read_table(file.fileno(), deadline=deadline)
        except ModelRefused as error:
            raise SampleUnreadable(error.reason) from error
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
) -> dict[str, Any]:
    """What the original answers, by a child of its own."""
    host = runner.fresh_host(kind="estimator")
    try:
        host.load(
            version.digest,
            artifact.fileno(),
            fmt=version.format,
            signature=signature.to_json(),
            deadline=settings.LOAD_DEADLINE_SECONDS,
        )
        return _ask(host, version.digest, rows)
    except ModelRaised as error:
        row = _first_refused(host, version.digest, rows)
        raise SampleUnreadable(
            f"The model fails on row {row} of the sample: {error.reason}"
        ) from error
    finally:
        host.close()


def _ask(host: Host, digest: str, rows: Rows) -> dict[str, Any]:
    return host.predict(digest, rows, ["predict"], deadline=settings.ADMISSION_DEADLINE_SECONDS)


def _first_refused(host: Host, digest: str, rows: Rows) -> int:
    """The number of the first row that the model raises at, by halving. 1 is the first."""
    good, bad = 0, rows.count  # the first `good` rows are answered, the first `bad` are not
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            _ask(host, digest, rows.pick(range(middle)))
            good = middle
        except ModelRaised:
            bad = middle
    return bad


def _verdict(found: expected.Comparison, column: str, model: Estimator) -> tuple[str, ...]:
    """What to say of equal answers. Raises AnswersDiffer or SampleUnreadable."""
    if found.rows == 0:
        raise SampleUnreadable(f"The sample's column {column} holds no expected answer at all.")
    releases = f"scikit-learn {model.trained_with}, we run {model.runs_with}"
    if found.differing:
        cause = (
            f" The model was trained with {releases}, which is the likely cause: fit and save it "
            f"again with {model.runs_with}."
            if model.is_of_another_release
            else " Check that the column holds what this very model predicted."
        )
        raise AnswersDiffer(found.told(column) + cause)
    if not model.is_of_another_release:
        return ()
    return (f"Trained with {releases}: answers verified on your sample ({found.rows} rows).",)
