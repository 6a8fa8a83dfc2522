"""POST /api/v1/models/upload"""

import hashlib

import pytest
from django.test import override_settings

from registry.models import ModelVersion, RegisteredModel
from registry.tasks import admit_version
from tests.factories import dumped, iris_pipeline, uploaded_file

URL = "/api/v1/models/upload"


def upload(client, *, content=b"model bytes", **fields):
    form = {"file": uploaded_file(content), "name": "iris", "model_type": "sklearn", **fields}
    return client.post(URL, {k: v for k, v in form.items() if v is not None}, format="multipart")


def test_it_works(alice, client_of, stored):
    response = upload(client_of(alice), description="Three flowers", tags="demo, flowers")

    assert response.status_code == 202
    answer = response.json()
    version = ModelVersion.objects.get()
    digest = hashlib.sha256(b"model bytes").hexdigest()
    assert (version.number, version.status, version.digest) == (1, "pending", digest)
    assert (version.size, version.filename) == (11, "model.joblib")
    assert stored(f"artifacts/{digest[:2]}/{digest}")
    assert version.model.description == "Three flowers"
    assert version.model.tags == ["demo", "flowers"]
    assert answer["model"] == "iris"
    assert answer["version"] == 1
    assert answer["status_url"].endswith(f"/api/v1/models/{version.model_id}/versions/1")
    assert answer["prediction_endpoint"].endswith("/api/v1/predict/iris")
    assert response["Location"] == answer["status_url"]


def test_it_asks_a_worker_after_the_commit(
    alice, client_of, monkeypatch, django_capture_on_commit_callbacks
):
    asked = []
    monkeypatch.setattr(admit_version, "delay", lambda **kwargs: asked.append(kwargs))

    with django_capture_on_commit_callbacks(execute=True):
        upload(client_of(alice))

    assert asked == [{"version_id": str(ModelVersion.objects.get().pk)}]


def test_the_same_name_again_is_version_2(alice, bob, client_of):
    upload(client_of(alice), description="first")
    response = upload(client_of(bob), content=b"other bytes")

    assert response.json()["version"] == 2
    model = RegisteredModel.objects.get()
    assert model.description == "first"
    assert [version.number for version in model.versions.all()] == [2, 1]


def test_equal_bytes_are_stored_once(alice, charlie, client_of):
    upload(client_of(alice))
    upload(client_of(charlie))

    one, other = ModelVersion.objects.all()
    assert one.digest == other.digest
    assert one.model.organization != other.model.organization


def test_the_name_becomes_part_of_a_url(alice, client_of):
    assert upload(client_of(alice), name="Iris Klassifikator v2").json()["model"] == (
        "iris-klassifikator-v2"
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": None}, "invalid"),
        ({"name": "…"}, "invalid_name"),
        ({"name": "a" * 101}, "invalid"),
        ({"name": "upload"}, "invalid_name"),
        ({"name": "0192d3a0-7d0e-7c4e-8f5e-0123456789ab"}, "invalid_name"),
        ({"file": None}, "invalid"),
        ({"model_type": "tensorflow"}, "invalid"),
        ({"model_type": "pytorch"}, "invalid"),
        ({"model_type": "Excel"}, "invalid"),
        ({"organization": "acme"}, "invalid"),
        ({"status": "ready"}, "invalid"),
        ({"name": "a\0b"}, "invalid"),
    ],
)
def test_wrong_fields_are_named(alice, client_of, fields, code):
    response = upload(client_of(alice), **fields)

    assert (response.status_code, response.json()["code"]) == (400, code)
    assert not RegisteredModel.objects.exists()


@pytest.mark.parametrize(
    ("model_type", "stored"),
    [("sklearn", "sklearn"), ("ONNX", "onnx"), ("cloudpickle", "cloudpickle"), (None, "auto")],
)
def test_what_its_owner_calls_it_is_a_hint(alice, client_of, model_type, stored):
    assert upload(client_of(alice), model_type=model_type).status_code == 202

    assert ModelVersion.objects.get().declared_format == stored


@pytest.mark.parametrize("model_type", ["pytorch", "PyTorch", "tensorflow", "keras"])
def test_other_frameworks_are_told_how_to_export(alice, client_of, model_type):
    response = upload(client_of(alice), model_type=model_type)

    fault = response.json()["errors"][0]
    assert (fault["pointer"], fault["code"]) == ("/model_type", "export_needed")
    assert "to ONNX" in fault["detail"]


def test_an_empty_file_is_refused(alice, client_of):
    response = upload(client_of(alice), content=b"")

    assert (response.status_code, response.json()["code"]) == (400, "artifact_empty")
    assert not RegisteredModel.objects.exists()


@override_settings(MAX_ARTIFACT_BYTES=10)
def test_a_large_file_is_refused_while_it_comes(alice, client_of):
    response = upload(client_of(alice))

    assert (response.status_code, response.json()["code"]) == (413, "artifact_too_large")
    assert not RegisteredModel.objects.exists()


@override_settings(MAX_ARTIFACT_BYTES=10, MAX_SAMPLE_BYTES=0)
def test_a_body_that_says_it_is_too_long_is_not_read(alice, client_of):
    response = client_of(alice).post(
        URL,
        data=b"",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(10 + 2**20 + 1),
    )

    assert (response.status_code, response.json()["code"]) == (413, "artifact_too_large")


def test_json_is_refused(alice, client_of):
    assert client_of(alice).post(URL, {"name": "iris"}, format="json").status_code == 415


def test_it_needs_a_sign_in(db, client):
    response = client.post(URL, {"file": uploaded_file(b"x"), "name": "iris"})

    assert response.status_code == 401
    assert not RegisteredModel.objects.exists()


def test_a_deleted_models_name_is_free_again(alice, client_of):
    client = client_of(alice)
    upload(client)
    client.delete("/api/v1/models/iris")

    assert upload(client).json()["version"] == 1
    assert RegisteredModel.objects.count() == 2


def test_a_real_model_is_not_opened_by_the_web(alice, client_of):
    response = upload(client_of(alice), content=dumped(iris_pipeline()))

    assert response.status_code == 202
    assert ModelVersion.objects.get().status == "pending"
