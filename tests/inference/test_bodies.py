"""The shapes in which rows may come"""

import gzip

import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tests.factories import IRIS_COLUMNS, SETOSA, make_ready_version
from tests.inference.test_predict import PEOPLE

VIRGINICA = [6.9, 3.1, 5.4, 2.1]
BY_COLUMN = dict(zip(IRIS_COLUMNS, zip(SETOSA, VIRGINICA, strict=True), strict=True))
CSV = "\n".join([",".join(IRIS_COLUMNS), *(",".join(map(str, row)) for row in (SETOSA, VIRGINICA))])


@pytest.fixture
def cities(alice, organization, spool, runner):
    columns = make_column_transformer(
        ("passthrough", ["age"]), (OneHotEncoder(handle_unknown="ignore"), ["city"])
    )
    people = PEOPLE.dropna()
    model = make_pipeline(columns, LogisticRegression()).fit(people, [0, 1, 1, 0, 1])
    return make_ready_version(organization, alice, name="cities", model=model)


@pytest.fixture
def send(client_of, alice):
    def post(body, *, model="iris", content_type="application/json", **headers):
        return client_of(alice).generic(
            "POST", f"/api/v1/predict/{model}", body, content_type=content_type, headers=headers
        )

    return post


def refused(response, code):
    assert (response.status_code, response.json()["code"]) == (422, code), response.json()
    return response.json()


def test_rows_by_column(iris, predict, alice):
    answer = predict(alice, "iris", {"columns": BY_COLUMN}).json()

    assert answer["predictions"] == ["setosa", "virginica"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "no values"),
        ({"sepal_length": []}, "no values"),
        ({"sepal_length": 5.1}, "no list"),
        ({"sepal_length": [1, 2], "sepal_width": [1]}, "'sepal_width' has 1 values"),
    ],
)
def test_columns_that_are_no_table(iris, predict, alice, columns, said):
    assert said in refused(predict(alice, "iris", {"columns": columns}), "unknown_shape")["detail"]


def test_a_fault_in_a_column_is_pointed_at(iris, predict, alice):
    columns = {**BY_COLUMN, "petal_length": [1.4, "long"]}
    faults = refused(predict(alice, "iris", {"columns": columns}), "invalid_input")["errors"]

    assert [fault["pointer"] for fault in faults] == ["/columns/petal_length/1"]


def test_csv(iris, send):
    assert send(CSV, content_type="text/csv; charset=utf-8").json()["predictions"] == [
        "setosa",
        "virginica",
    ]


def test_csv_reads_by_the_types_of_the_signature(cities, send, predict, alice):
    table = 'age,city\r\n30,"Bonn"\r\n70,Köln\r\n'.encode("utf-8-sig")
    rows = [{"age": 30, "city": "Bonn"}, {"age": 70, "city": "Köln"}]

    by_csv = send(table, model="cities", content_type="text/csv").json()
    assert by_csv["predictions"] == predict(alice, "cities", {"inputs": rows}).json()["predictions"]


@pytest.mark.parametrize(
    ("table", "code", "said"),
    [
        ("", "unknown_shape", "no rows"),
        ("age,city", "unknown_shape", "no rows"),
        ("age,age\n1,2", "unknown_shape", "same name"),
        ("age,city\n30", "unknown_shape", "Row 0 of the CSV has 1 fields, its header 2"),
        ('age,city\n30,"Bonn', "unknown_shape", "no CSV"),
        (b"age,city\n30,K\xf6ln", "unknown_shape", "UTF-8"),
        ("age,city\n3O,Bonn\n", "invalid_input", "column age"),
        ("age,city\nNaN,Bonn\n", "invalid_input", "column age"),
        ("age,city\n,Bonn\n", "invalid_input", "column age: a value is required"),
        ("age,town\n30,Bonn\n", "invalid_input", "unknown column"),
    ],
)
def test_csv_that_does_not_fit(cities, send, table, code, said):
    response = send(table, model="cities", content_type="text/csv")

    assert said in str(refused(response, code))


def test_a_packed_body(iris, send):
    packed = gzip.compress(CSV.encode())

    response = send(packed, content_type="text/csv", **{"Content-Encoding": "gzip"})
    assert response.json()["predictions"] == ["setosa", "virginica"]


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        (b"not packed", "gzip", 400, "parse_error"),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip", 400, "parse_error"),
        (gzip.compress(b" " * 3_000_000, mtime=0), "gzip", 413, "request_too_large"),
        (b"{}", "br", 415, "unknown_encoding"),
    ],
)
def test_packed_bodies_that_are_refused(iris, send, settings, body, encoding, status, code):
    settings.MAX_PREDICT_BYTES = 1_000_000
    response = send(body, **{"Content-Encoding": encoding})

    assert (response.status_code, response.json()["code"]) == (status, code)


def test_only_the_likeliest_classes(iris, predict, alice):
    everything = predict(alice, "iris", {"input": SETOSA}).json()["probabilities"]
    two = predict(alice, "iris", {"input": SETOSA, "top_k": 2}).json()["probabilities"]

    assert list(two) == ["setosa", "versicolor"]
    assert two == {name: everything[name] for name in two}


@pytest.mark.parametrize("wanted", [0, -1, 1.5, "2", True])
def test_a_top_k_that_is_none(iris, predict, alice, wanted):
    refused(predict(alice, "iris", {"input": SETOSA, "top_k": wanted}), "unknown_shape")
