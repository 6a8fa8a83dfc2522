"""Real rows and real models, by plain functions."""

import io
from functools import cache

import joblib
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.timezone import now
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from accounts.models import Organization, User
from registry import admission
from registry.models import ModelVersion, RegisteredModel
from registry.uploads import upload_version

IRIS_COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
SETOSA = [5.1, 3.5, 1.4, 0.2]


@cache
def iris_pipeline(classes: str = "names") -> BaseEstimator:
    """A scaler and a logistic regression, fitted on a data frame; labels are names or numbers."""
    data = load_iris(as_frame=True)
    flowers = data.data.set_axis(IRIS_COLUMNS, axis=1)
    labels = data.target_names[data.target] if classes == "names" else data.target
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(flowers, labels)


def dumped(model: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def uploaded_file(content: bytes, name: str = "model.joblib") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="application/octet-stream")


def make_version(
    organization: Organization,
    by: User,
    *,
    name: str = "iris",
    content: bytes | None = None,
    **options: str,
) -> ModelVersion:
    """An uploaded version that waits for admission."""
    content = dumped(iris_pipeline()) if content is None else content
    file = ContentFile(content, name="model.joblib")
    return upload_version(
        organization=organization, by=by, name=name, file=file, at=now(), **options
    )


def make_ready_version(
    organization: Organization, by: User, *, name: str = "iris", model: object = None
) -> ModelVersion:
    """A version that went through real admission; the model's first is its champion.

    Its answers are remembered, quick as it is.
    """
    content = dumped(iris_pipeline() if model is None else model)
    version = make_version(organization, by, name=name, content=content)
    admission.admit(version.pk, at=now())
    RegisteredModel.objects.filter(pk=version.model_id).update(caching="always")
    version.refresh_from_db()
    assert version.status == ModelVersion.Status.READY, version.reason
    return version
