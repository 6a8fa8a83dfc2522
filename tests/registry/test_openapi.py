"""GET /api/v1/models/{model}/openapi.json"""

import jsonschema
import numpy as np
import orjson
import pandas as pd
import pytest
from django.core.files.base import ContentFile
from django.test import override_settings
from django.utils.timezone import now
from drf_spectacular.validation import validate_schema
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from registry import admission
from registry.inputs import Input
from registry.models import RegisteredModel
from registry.openapi import Described, column_schema, document
from registry.uploads import upload_version
from tests import artifacts
from tests.factories import IRIS_COLUMNS, SETOSA, dumped, make_ready_version, make_version
from tests.inference.served import make_signature

URL = "/api/v1/models/{}/openapi.json"
PREDICT = "/api/v1/predict/iris"
FORMS = {
    "one": ("OneRow", "Answer"),
    "listed": ("OneRow", "Answer"),
    "many": ("ManyRows", "Answers"),
    "columns": ("ByColumn", "Answers"),
}


@pytest.fixture
def iris(alice, organization):
    return make_ready_version(organization, alice).model


@pytest.fixture
def described(alice, client_of):
    """The document of a model, asked for by alice."""

    def get(name="iris", **query):
        response = client_of(alice).get(URL.format(name), query)
        assert response.status_code == 200, response.content
        return response.json()

    return get


def accepts(document, name, value):
    """Whether the schema of this name takes the value."""
    schema = {**document, "$ref": f"#/components/schemas/{name}"}
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def test_it_works(iris, described):
    document = described()

    validate_schema(document)
    assert document["openapi"] == "3.1.0"
    assert document["info"] == {
        "title": "iris",
        "version": "1",
        "description": "Predictions of the model iris.",
    }
    assert list(document["paths"]) == [PREDICT]
    schemas = document["components"]["schemas"]
    assert list(schemas["Row"]["properties"]) == schemas["Row"]["required"] == IRIS_COLUMNS
    assert schemas["Answer"]["properties"]["prediction"] == {
        "enum": ["setosa", "versicolor", "virginica"]
    }


@override_settings(SITE_URL="https://ml.example.com")
def test_it_names_the_server(iris, described):
    assert described()["servers"] == [{"url": "https://ml.example.com"}]


def made(name):
    """A fitted model of many kinds, or of the artifacts' own."""
    rows, labels = artifacts.data("iris")
    forest = RandomForestClassifier(3, max_depth=2, random_state=0)
    kinds = {
        "mixed": artifacts.fitted_mixed,
        "truths": lambda: forest.fit(rows, labels == 1),
        "several_labels": lambda: forest.fit(rows, np.column_stack([labels, labels == 1])),
        "texts": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
            ["good", "bad"], ["x", "y"]
        ),
        "closed": lambda: make_pipeline(OneHotEncoder(), LogisticRegression()).fit(
            pd.DataFrame({"city, or so": ["Bern", "Rom"], "a/b~c": [1, 2]}), [0, 1]
        ),
    }
    return kinds.get(name, lambda: artifacts.fitted(name))()


@pytest.mark.parametrize(
    "name",
    [
        "logistic",
        "boosting_regressor",
        "forest_two_outputs",
        "isolation",
        "mixed",
        "truths",
        "several_labels",
        "texts",
        "closed",
    ],
)
def test_its_examples_are_answered_as_it_says(alice, organization, client_of, described, name):
    make_ready_version(organization, alice, name="iris", model=made(name))
    document = described()

    validate_schema(document)
    content = document["paths"][PREDICT]["post"]["requestBody"]["content"]
    for form, example in content["application/json"]["examples"].items():
        body = example["value"]
        request, answer = FORMS[form]
        response = client_of(alice).post(PREDICT, body, format="json")
        assert response.status_code == 200, (form, response.json())
        assert accepts(document, request, body)
        assert accepts(document, answer, response.json())
    table = content["text/csv"]["example"]
    response = client_of(alice).generic("POST", PREDICT, table, content_type="text/csv")
    assert response.status_code == 200, response.json()
    assert accepts(document, "Answers", response.json())


def test_the_likeliest_classes_are_as_it_says(alice, client_of, iris, described):
    body = {"input": SETOSA, "top_k": 1}

    response = client_of(alice).post(PREDICT, body, format="json")

    assert accepts(described(), "OneRow", body)
    assert list(response.json()["probabilities"]) == ["setosa"]
    assert accepts(described(), "Answer", response.json())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"input": dict(zip(IRIS_COLUMNS, SETOSA, strict=True))}, 200),
        ({"input": [*SETOSA[:3], "0.2"]}, 422),
        ({"input": SETOSA[:3]}, 422),
        ({"input": [*SETOSA[:3], None]}, 422),
        ({"input": [*SETOSA[:3], 1e39]}, 422),
        ({"input": dict(zip(IRIS_COLUMNS[:3], SETOSA, strict=False))}, 422),
        ({"input": {**dict(zip(IRIS_COLUMNS, SETOSA, strict=True)), "id": 1}}, 422),
    ],
)
def test_what_it_refuses_is_refused(alice, client_of, iris, described, body, status):
    assert client_of(alice).post(PREDICT, body, format="json").status_code == status
    assert accepts(described(), "OneRow", body) == (status == 200)


def test_the_sample_gives_the_example(alice, organization, described):
    version = upload_version(
        organization=organization,
        by=alice,
        name="iris",
        file=ContentFile(dumped(LinearRegression().fit([[1.0], [2.0]], [1, 2])), name="m"),
        sample=ContentFile(b"x0\n12.25\n13\n", name="s.csv"),
        at=now(),
    )
    admission.admit(version.pk, at=now())

    row = described()["components"]["schemas"]["Row"]

    assert row["examples"] == [{"x0": 12.25}]
    assert row["properties"]["x0"]["examples"] == [12.25, 13]
    assert row["properties"]["x0"]["description"] == (
        "From 12.25 to 13 in the sample it was checked with."
    )


def test_another_version_is_asked_for_by_its_number(alice, organization, iris, described):
    make_ready_version(organization, alice)

    assert described()["paths"][PREDICT]["post"]["parameters"] == []
    document = described(version=2)
    validate_schema(document)
    [parameter] = document["paths"][PREDICT]["post"]["parameters"]
    assert (parameter["name"], parameter["schema"]["const"]) == ("version", 2)


def test_unknown_columns_are_as_the_model_wants_them(iris, described):
    assert described()["components"]["schemas"]["Row"]["additionalProperties"] is False
    RegisteredModel.objects.update(unknown_columns="ignore")
    assert described()["components"]["schemas"]["Row"]["additionalProperties"] is True


def test_the_model_says_where_it_is(alice, client_of, iris):
    model = client_of(alice).get("/api/v1/models/iris").json()

    assert model["openapi_url"].endswith("/api/v1/models/iris/openapi.json")


def test_without_a_version_that_answers(alice, organization, client_of):
    make_version(organization, alice)

    response = client_of(alice).get(URL.format("iris"))

    assert (response.status_code, response.json()["code"]) == (409, "nothing_serves")


@pytest.mark.parametrize("version", ["0", "x", "99999999999"])
def test_a_version_that_is_no_number(alice, client_of, iris, version):
    assert client_of(alice).get(URL.format("iris"), {"version": version}).status_code == 400


def test_it_hides_other_tenants_models(charlie, client_of, iris):
    assert client_of(charlie).get(URL.format("iris")).status_code == 404
    assert client_of(charlie).get(URL.format(iris.pk)).status_code == 404


def test_a_column():
    closed = Input("city", "string", nullable=True, categories=("Bern", "Rom"), unseen="error")
    watched = Input("grade", "float", categories=(1.0, 2.0))

    assert column_schema(closed) == {
        "type": ["string", "null"],
        "enum": ["Bern", "Rom", None],
        "description": "null or left out: a missing value.",
        "examples": ["Bern", "Rom"],
    }
    assert column_schema(watched)["description"] == (
        "Known categories: 1, 2; others are answered with a warning."
    )
    assert column_schema(Input("yes", "boolean")) == {"type": "boolean"}
    assert column_schema(Input("rooms", "integer")) == {
        "type": "integer",
        "minimum": -(2**53),
        "maximum": 2**53,
    }


def test_a_wide_model_is_described_in_kilobytes():
    columns = [Input(f"column number {i}", "float") for i in range(2000)]
    signature = make_signature(*columns, classes=[[str(i) for i in range(1500)]])
    wide = document(
        Described(
            name="wide",
            description="",
            number=1,
            is_champion=True,
            signature=signature,
            example=signature.example(),
            ignores_unknown=False,
            max_rows=10,
            site_url="https://ml.example.com",
            path="/api/v1/predict/wide",
        )
    )

    validate_schema(wide)
    assert len(orjson.dumps(wide)) < 600_000
