"""A sample table at upload: read in a child, described, and answered as expected."""

import pandas as pd
import pytest
import sklearn
from django.core.files.base import ContentFile
from django.test import override_settings
from django.utils.timezone import now
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_approximation import AdditiveChi2Sampler
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from registry import admission, sample_check
from registry.models import ModelVersion, RegisteredModel
from registry.uploads import upload_version
from tests.artifacts import fitted_mixed, people
from tests.factories import IRIS_COLUMNS, dumped, iris_pipeline, make_ready_version, uploaded_file
from tests.registry.test_upload import upload

IRIS = ",".join(IRIS_COLUMNS)
FLOWERS = f"""{IRIS},species
5.1,3.5,1.4,0.2,setosa
6.2,2.9,4.3,1.3,versicolor
7.2,3,5.8,1.6,virginica
"""


@pytest.fixture
def admit(alice, organization):
    """Upload `model` with a sample and take it through real admission."""

    def admit(model, sample, expected=""):
        sample = sample.encode() if isinstance(sample, str) else sample
        version = upload_version(
            organization=organization,
            by=alice,
            name="model",
            file=ContentFile(dumped(model), name="model.joblib"),
            sample=ContentFile(sample, name="sample.csv"),
            expected=expected,
            at=now(),
        )
        admission.admit(version.pk, at=now())
        version.refresh_from_db()
        return version

    return admit


def test_it_works(admit):
    version = admit(iris_pipeline(), FLOWERS, "species")

    assert version.status == "ready", version.reason
    assert version.expected_column == "species"
    assert version.profile["rows"] == version.profile["of_rows"] == 3
    assert version.profile["expected"] == {
        "column": "species",
        "rows": 3,
        "differing": 0,
        "differences": [],
    }
    first = version.profile["inputs"][0]
    assert (first["name"], first["min"], first["max"]) == ("sepal_length", 5.1, 7.2)
    assert version.parity["rows"] == 2000 + 3
    assert version.facts["warnings"] == []
    column = version.checked_signature.inputs[0]
    assert column.range == (5.1, 7.2)
    assert column.examples == (5.1, 6.2, 7.2)


def test_answers_that_differ_reject_the_version(admit):
    version = admit(iris_pipeline(), FLOWERS.replace(",virginica", ",setosa"), "species")

    assert (version.status, version.reason_code) == ("rejected", "answers_differ")
    assert version.reason == (
        "1 of 3 answers are not what the sample's column species expects (row 3: expected setosa, "
        "got virginica). Check that the column holds what this very model predicted."
    )
    assert version.profile["expected"]["differing"] == 1


def test_numbers_may_differ_by_a_millionth(admit):
    model = LinearRegression().fit([[0.0], [1.0]], [1000.0, 3000.0])

    assert admit(model, "x0,y\n0.5,2000.001\n", "y").status == "ready"
    version = admit(model, "x0,y\n0.5,2000.01\n", "y")
    assert version.reason_code == "answers_differ"
    assert "row 1: expected 2000.01, got 2000.0" in version.reason


@pytest.mark.parametrize(
    ("sample", "expected", "reason"),
    [
        ("a,b\n", "", "The table has no rows below its header."),
        (b"\x89PNG\xff", "", "The table is neither Parquet nor UTF-8 text (line 1)."),
        (
            "sepal_length,petal_width\n1,2\n",
            "",
            "The sample lacks the model's columns sepal_width, petal_length; it has sepal_length, "
            "petal_width.",
        ),
        (f"{IRIS}\n1,2,3\n", "", "Row 1 has 3 values, the header names 4 columns."),
        (
            f"{IRIS}\n1,2,3,4\n1,2,3,four\n",
            "",
            "The sample does not fit the model. Row 2, column petal_width: expected a number,",
        ),
        (f"{IRIS}\n1,2,3,\n1,2,,4\n", "", "The sample does not fit the model in 2 places."),
        (
            f"{IRIS}\n1,2,3,4\n",
            "species",
            "The sample has no column species with the expected answers; it has sepal_length,",
        ),
        (
            f"{IRIS},species\n1,2,3,4,\n",
            "species",
            "The sample's column species holds no expected answer at all.",
        ),
    ],
)
def test_a_sample_that_does_not_fit_rejects_the_version(admit, sample, expected, reason):
    version = admit(iris_pipeline(), sample, expected)

    assert (version.status, version.reason_code) == ("rejected", "sample_unreadable")
    assert version.reason.startswith(reason)


def test_a_data_frame_of_numbers_and_strings_with_gaps(admit):
    model = fitted_mixed()
    table, _ = people()
    sample = table.head(50).assign(answer=model.predict(table.head(50)))

    version = admit(model, sample.to_csv(), "answer")

    assert version.status == "ready", version.reason
    age, _, city, job = version.profile["inputs"]
    assert age["missing"] == round(8 / 50, 6)
    assert city["missing"] == round(10 / 50, 6)
    assert sum(one["count"] for one in job["top"]) == 50
    assert {one["value"] for one in job["top"]} == {"cook", "nurse"}


def test_parquet(admit):
    model = fitted_mixed()
    table, _ = people()
    sample = table.head(50).assign(answer=model.predict(table.head(50)))

    version = admit(model, sample.to_parquet(), "answer")

    assert version.status == "ready", version.reason
    assert version.profile["expected"]["rows"] == 50


def test_a_row_that_the_model_fails_on_is_named(admit):
    model = make_pipeline(AdditiveChi2Sampler(), LinearRegression()).fit([[1.0], [2.0]], [1, 2])

    version = admit(model, "x0\n1\n2\n-3\n4\n")

    assert version.reason_code == "sample_unreadable"
    assert version.reason.startswith("The model fails on row 3 of the sample: ValueError: Negative")


def test_the_web_stores_it_unread(alice, client_of, stored):
    response = upload(client_of(alice), sample=uploaded_file(b"no table"), expected="y")

    assert response.status_code == 202
    version = ModelVersion.objects.get()
    assert version.expected_column == "y"
    digest = version.sample_digest
    assert stored(f"artifacts/{digest[:2]}/{digest}")


@override_settings(MAX_SAMPLE_BYTES=7)
def test_a_large_sample_is_refused(alice, client_of):
    response = upload(client_of(alice), sample=uploaded_file(b"a,b\n1,2\n"))

    assert (response.status_code, response.json()["code"]) == (413, "sample_too_large")
    assert not RegisteredModel.objects.exists()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"expected": "y"}, "invalid"),
        ({"sample": uploaded_file(b"")}, "artifact_empty"),
        ({"sample": "text"}, "invalid"),
    ],
)
def test_wrong_fields_are_named(alice, client_of, fields, code):
    response = upload(client_of(alice), **fields)

    assert (response.status_code, response.json()["code"]) == (400, code)
    assert not RegisteredModel.objects.exists()


def test_a_model_of_an_older_release_that_answers_differently_is_refused(admit, monkeypatch):
    """What some of scikit-learn 1.2 and 1.3 do: they load without a word, and are another model."""
    monkeypatch.setattr("sklearn.base.__version__", "1.2.2")
    model = LinearRegression().fit([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])
    sample = "x0,y\n" + "".join(f"{x},{model.predict([[x]])[0]}\n" for x in range(9))
    model.intercept_ += 1

    version = admit(model, sample, "y")

    assert version.reason_code == "answers_differ"
    assert version.reason.startswith("9 of 9 answers are not what the sample's column y expects")
    assert version.reason.endswith(
        "The model was trained with scikit-learn 1.2.2, we run "
        f"{sklearn.__version__}, which is the likely cause: fit and save it again with "
        f"{sklearn.__version__}."
    )


def test_a_model_of_an_older_release_that_answers_alike_says_so(admit, monkeypatch):
    monkeypatch.setattr("sklearn.base.__version__", "1.2.2")
    model = LinearRegression().fit([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])

    version = admit(model, f"x0,y\n5,{model.predict([[5]])[0]}\n", "y")

    assert version.status == "ready", version.reason
    assert version.facts["warnings"] == [
        f"Trained with scikit-learn 1.2.2, we run {sklearn.__version__}: answers verified on your "
        "sample (1 row)."
    ]


def test_several_outputs_have_several_columns(admit):
    model = LinearRegression().fit([[1.0], [2.0]], [[1.0, 2.0], [2.0, 4.0]])

    assert admit(model, "x0,low,high\n3,3,6\n", "low, high").status == "ready"
    version = admit(model, "x0,low,high\n3,3,6\n", "low")
    assert version.reason == (
        "The model gives 2 answers a row, so `expected` must name 2 columns with commas between "
        "them; it names 1."
    )


def test_a_model_without_names_takes_the_columns_in_order(admit):
    model = LinearRegression().fit([[1.0, 0.0], [2.0, 1.0]], [1.0, 2.0])

    assert admit(model, "width,height,y\n1,0,1\n", "y").status == "ready"


def test_a_date_in_a_column_of_numbers_is_told_as_one(admit):
    model = LinearRegression().fit([[19000.0], [19001.0]], [1.0, 2.0])

    version = admit(model, "x0\n2024-01-31\n")

    assert version.reason == (
        "The sample does not fit the model. Column x0: expected a number, got a string; to this "
        "model a date is a number: send the one it was trained with, such as 19753 (days since "
        "1970-01-01) or 1706659200 (seconds since then)."
    )


def test_what_a_category_is_called_decides_what_is_missing(admit):
    table = pd.DataFrame({"country": ["NA", "DE", "NA", "DE"]})
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(table, [1, 0, 1, 0])

    version = admit(model, "country,y\nNA,1\nDE,0\n", "y")

    assert version.status == "ready", version.reason
    assert version.profile["inputs"][0]["missing"] == 0.0


def test_a_model_of_an_older_release_without_a_sample_is_told_to_bring_one(
    alice, organization, monkeypatch
):
    monkeypatch.setattr("sklearn.base.__version__", "1.2.2")
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])

    version = make_ready_version(organization, alice, model=model)

    assert version.facts["warnings"] == [
        f"Trained with scikit-learn 1.2.2, we run {sklearn.__version__}: some models answer "
        "differently then, without a word. Upload it with a sample and its expected answers to "
        "have that checked."
    ]


def test_texts_reach_the_model_whole(admit):
    """Shown texts are cut and cleaned; what a model reads is not."""
    texts = ["good " * 5, "bad\n" * 5, "so so " * 100 + "good", "so so " * 100 + "bad"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100)).fit(texts, [1, 0, 1, 0])
    sample = pd.DataFrame({"review": texts, "y": model.predict(texts)})

    version = admit(model, sample.to_csv(index=False), "y")

    assert version.status == "ready", version.reason
    assert version.profile["expected"]["rows"] == 4
    assert len(version.profile["inputs"][0]["examples"][2]) == 300


def test_a_slow_model_is_judged_by_the_rows_it_has_time_for(admit, monkeypatch):
    monkeypatch.setattr(sample_check, "SECONDS", 0)
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    right = "".join(f"{x},{x}\n" for x in range(sample_check.FIRST_CHUNK))

    version = admit(model, f"x0,y\n{right}1,999\n", "y")

    assert version.status == "ready", version.reason
    assert version.profile["rows"] == 51
    assert version.profile["expected"]["rows"] == 50


def test_the_same_bytes_with_another_sample_are_judged_anew(admit):
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])

    assert admit(model, "x0,y\n3,3\n", "y").status == "ready"
    assert admit(model, "x0,y\n3,4\n", "y").reason_code == "answers_differ"
