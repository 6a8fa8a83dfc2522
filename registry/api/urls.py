from django.urls import path, register_converter
from django.urls.converters import StringConverter

from registry.api import views
from registry.api.openapi import OpenAPIView


class ModelReference(StringConverter):
    """An id or a name. Anything else (a NUL, a slash) is no model's."""

    regex = r"[A-Za-z0-9_-]{1,100}"


class VersionNumber:
    regex = r"[1-9][0-9]{0,8}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class AliasName(StringConverter):
    """As long as the row takes it."""

    regex = r"[A-Za-z0-9_-]{1,50}"


register_converter(AliasName, "alias")
register_converter(ModelReference, "model")
register_converter(VersionNumber, "number")

urlpatterns = [
    path("models/upload", views.UploadView.as_view(), name="api-upload"),
    path("models", views.ModelsView.as_view(), name="api-models"),
    path("models/<model:model>", views.ModelView.as_view(), name="api-model"),
    path("models/<model:model>/openapi.json", OpenAPIView.as_view(), name="api-model-openapi"),
    path("models/<model:model>/versions", views.VersionsView.as_view(), name="api-versions"),
    path(
        "models/<model:model>/versions/<number:number>",
        views.VersionView.as_view(),
        name="api-version",
    ),
    path("models/<model:model>/aliases/<alias:alias>", views.AliasView.as_view(), name="api-alias"),
]
