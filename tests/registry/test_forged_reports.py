"""Whatever an inspector claims: the version ends in a state of its own, and can be shown"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.timezone import now
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from inference import hosts, loading
from inference.errors import ModelChanged
from registry import admission, quarantine
from registry.errors import AnswersOtherwise
from registry.models import ImportRule, ModelVersion
from registry.promotion import promote
from registry.sandbox import Inspection, Runner
from registry.serving import served
from registry.signature import InvalidSignature, Signature
from registry.uploads import upload_version
from tests.factories import dumped, make_ready_version, make_version, uploaded_file


@pytest.fixture
def forge(monkeypatch):
    """Change what every inspector reports."""

    def change_by(change):
        inspect = Runner.inspect

        def forged(*arguments, **options):
            found = inspect(*arguments, **options)
            change(found.report)
            return Inspection(found.report, found.graphs)

        monkeypatch.setattr(Runner, "inspect", forged)

    return change_by


def admitted(version):
    admission.admit(version.pk, at=now())
    version.refresh_from_db()
    return version


def with_sample(organization, by, model, table, expected=""):
    version = upload_version(
        organization=organization,
        by=by,
        name="sampled",
        file=uploaded_file(dumped(model)),
        at=now(),
        sample=SimpleUploadedFile("sample.csv", table.encode()),
        expected=expected,
    )
    return admitted(version)


def test_times_that_are_no_numbers(alice, organization, forge):
    forge(lambda report: report["seconds"].update(signature="nan"))

    version = admitted(make_version(organization, alice))
    seconds = {step["name"]: step["seconds"] for step in version.steps}
    assert (version.status, seconds["signature"]) == ("ready", 0.0)


@pytest.mark.django_db(transaction=True)
def test_numbers_that_postgresql_does_not_take(alice, organization, forge):
    forge(lambda report: report["signature"]["inputs"][0].update(range=["-1e400", "nan"]))

    version = admitted(make_version(organization, alice))
    assert version.status in ("rejected", "ready")


def test_answers_beyond_64_bits_can_be_shown(alice, organization, client_of):
    rows = pd.DataFrame({"a": np.arange(50.0)})
    model = LinearRegression().fit(rows, rows.a * 1e25)
    make_ready_version(organization, alice, name="huge", model=model)

    response = client_of(alice).get("/api/v1/models/huge/versions/1")
    assert response.status_code == 200


def test_a_signature_of_a_million_categories_is_none(alice, organization):
    version = make_ready_version(organization, alice)
    forged = {**version.signature}
    forged["inputs"][0] = {**forged["inputs"][0], "categories": [float(i) for i in range(300_000)]}

    with pytest.raises(InvalidSignature):
        Signature.from_json(forged)


def test_a_column_that_the_model_drops_may_hold_anything(alice, organization):
    rows = pd.DataFrame({"id": [f"c{i}" for i in range(50)], "a": np.arange(50.0)})
    columns = ColumnTransformer([("numbers", "passthrough", ["a"])])
    model = make_pipeline(columns, LinearRegression()).fit(rows, rows.a)

    version = with_sample(organization, alice, model, "id,a\nc1,1\nc2,2\n")
    assert (version.status, version.reason) == ("ready", "")


def test_an_answer_that_is_no_number_differs(alice, organization):
    rows = pd.DataFrame({"a": np.arange(50.0)})
    model = LinearRegression().fit(rows, rows.a)
    model.intercept_ = np.nan

    version = with_sample(organization, alice, model, "a,y\n1,1\n2,2\n", expected="y")
    assert (version.status, version.reason_code) == ("rejected", "answers_differ")


def test_rules_of_today_hold_for_what_was_found_before(alice, charlie, organization):
    first = make_ready_version(organization, alice)
    ModelVersion.objects.filter(pk=first.pk).update(
        scan={**first.scan, "imports": [], "findings": []}
    )
    ImportRule.objects.create(pattern="sklearn.*", verdict="deny", created_by=charlie)

    second = admitted(make_version(organization, alice, name="copy"))
    assert (second.status, second.reason_code) == ("rejected", "import_denied")


def test_what_an_operator_released_is_opened_anew(alice, charlie, organization):
    first = make_ready_version(organization, alice)
    wrong = "virginica" if first.golden["predict"] == "setosa" else "setosa"
    ModelVersion.objects.filter(pk=first.pk).update(golden={**first.golden, "predict": wrong})
    second = make_ready_version(organization, alice)
    with pytest.raises(AnswersOtherwise):
        promote(second, alias="champion", by=alice, at=now())
    second.refresh_from_db()

    quarantine.release(second, by=charlie, at=now())

    assert admitted(second).golden["predict"] == first.golden["predict"]
    promote(second, alias="champion", by=alice, at=now())


def test_a_changed_model_keeps_nobody_else_out(alice, charlie, organization):
    ours = served(make_ready_version(organization, alice))
    theirs = served(make_ready_version(charlie.organizations.get(), charlie))
    rows = ours.signature.to_rows([[5.1, 3.5, 1.4, 0.2]], pointers=["/input"])
    changed = replace(ours, golden={**ours.golden, "predict": "nothing"})
    try:
        with pytest.raises(ModelChanged):
            hosts.predict(changed, rows, ["predict"])
        assert hosts.predict(theirs, rows, ["predict"])["predict"] == ["setosa"]
    finally:
        loading._kept_out.clear()
        hosts.pool.clear()


def test_an_alias_is_no_longer_than_its_column(alice, organization, client_of):
    make_ready_version(organization, alice)
    url = "/api/v1/models/iris/aliases/" + "a" * 51

    assert client_of(alice).put(url, {"version": 1}).status_code == 404
