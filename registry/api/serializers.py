"""Shapes of the registry's requests and answers."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import Name, StrictSerializer, Text
from registry.exports import ADVICE
from registry.formats import DECLARED
from registry.models import Alias, ModelVersion, RegisteredModel

MAX_TAGS = 20
# What the owner of an admitted version may make of it.
LIFECYCLE = [
    (status.value, status.label)
    for status in (
        ModelVersion.Status.READY,
        ModelVersion.Status.DEPRECATED,
        ModelVersion.Status.ARCHIVED,
    )
]


class Tags(serializers.ListField):
    """A list, or one text with commas as forms send it."""

    child = Name(max_length=50)

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_TAGS, **options)

    def to_internal_value(self, data: Any) -> list[str]:
        if isinstance(data, list) and len(data) == 1 and isinstance(data[0], str):
            data = [part.strip() for part in data[0].split(",") if part.strip()]
        return super().to_internal_value(data)


class ModelType(serializers.ChoiceField):
    """A hint: the bytes decide. Of frameworks that are not served it says the way here."""

    def __init__(self, **options: Any) -> None:
        super().__init__(list(DECLARED), **options)

    def to_internal_value(self, data: Any) -> str:
        called = str(data).strip().lower()
        if called in ADVICE:
            raise serializers.ValidationError(ADVICE[called], code="export_needed")
        return super().to_internal_value(called)


class UploadSerializer(StrictSerializer):
    """multipart/form-data."""

    file = serializers.FileField(allow_empty_file=True, help_text="the saved model")
    name = Name(max_length=100, help_text="a second upload under the same name is version 2")
    model_type = ModelType(
        source="declared_format", default="auto", help_text="a hint: the file's bytes decide"
    )
    description = Text(required=False, allow_blank=True, max_length=10_000)
    tags = Tags(required=False)
    sample = serializers.FileField(
        required=False, allow_empty_file=True, help_text="rows to check it with: CSV or Parquet"
    )
    expected = Text(
        required=False, max_length=300, help_text="the sample's column with the right answers"
    )

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "expected" in asked and "sample" not in asked:
            raise serializers.ValidationError({"expected": "It names a column of the sample."})
        return asked


class ModelChangesSerializer(StrictSerializer):
    description = Text(required=False, allow_blank=True, max_length=10_000)
    tags = Tags(required=False)
    metadata = serializers.DictField(required=False)
    caching = serializers.ChoiceField(RegisteredModel.Caching.choices, required=False)
    unknown_columns = serializers.ChoiceField(
        RegisteredModel.UnknownColumns.choices,
        required=False,
        help_text="refuse: a request with columns that the model does not take is an error",
    )
    payloads = serializers.ChoiceField(
        RegisteredModel.Payloads.choices,
        required=False,
        help_text="whether the prediction log keeps rows and answers",
    )
    redacted = serializers.ListField(
        child=serializers.CharField(max_length=300),
        max_length=1000,
        required=False,
        help_text="columns whose values the log never keeps",
    )


class VersionChangesSerializer(StrictSerializer):
    pinned = serializers.BooleanField(
        required=False, help_text="true: the original answers, graph or not"
    )
    status = serializers.ChoiceField(LIFECYCLE, required=False)


class AliasChangeSerializer(StrictSerializer):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class AliasSerializer(serializers.ModelSerializer):
    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = Alias
        fields = ["name", "version", "updated_at"]


@extend_schema_field(OpenApiTypes.OBJECT)
class Document(serializers.JSONField):
    """JSON as it stands in the row."""


class StepSerializer(serializers.Serializer):
    """One step of an admission."""

    name = serializers.CharField()
    state = serializers.ChoiceField(["waiting", "running", "done", "skipped", "failed"])
    started_at = serializers.DateTimeField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    note = serializers.CharField(allow_blank=True)


class VersionSerializer(serializers.ModelSerializer):
    model = serializers.CharField(source="model.name")
    signature = Document()
    estimator = Document(source="facts")
    parity = Document(help_text="how the compiled graph compares with the original")
    golden_example = Document(source="golden")
    steps = StepSerializer(many=True)
    profile = Document(help_text="what the sample says of each input")
    scan = Document(help_text="what was found before the file was opened")
    checked_with = Document(help_text="the libraries whose answers were checked")
    caching = serializers.SerializerMethodField()
    aliases = serializers.SerializerMethodField()
    status_url = serializers.SerializerMethodField()

    class Meta:
        model = ModelVersion
        fields = [
            "id", "model", "number", "status", "reason_code", "reason", "format", "filename",
            "digest", "size", "runtime", "signature", "estimator", "parity", "golden_example",
            "profile", "steps", "scan", "checked_with", "pinned", "caching", "aliases",
            "status_url", "created_at", "ready_at",
        ]  # fmt: skip

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_caching(self, version: ModelVersion) -> dict[str, Any]:
        """{"serves": bool, "reason": text}"""
        return asdict(version.caching)

    def get_aliases(self, version: ModelVersion) -> list[str]:
        return [alias.name for alias in version.aliases.all()]

    def get_status_url(self, version: ModelVersion) -> str:
        return version_url(version)


class ListedVersionSerializer(VersionSerializer):
    """Without the sample's figures: those of a thousand columns are a megabyte."""

    profile = None

    class Meta(VersionSerializer.Meta):
        fields = [name for name in VersionSerializer.Meta.fields if name != "profile"]


class ModelSerializer(serializers.ModelSerializer):
    aliases = AliasSerializer(many=True)
    latest_version = serializers.SerializerMethodField()
    prediction_endpoint = serializers.SerializerMethodField()
    openapi_url = serializers.SerializerMethodField()

    class Meta:
        model = RegisteredModel
        fields = [
            "id", "name", "description", "tags", "metadata", "caching",
            "unknown_columns", "payloads", "redacted", "aliases", "latest_version",
            "prediction_endpoint", "openapi_url", "created_at", "updated_at",
        ]  # fmt: skip

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_latest_version(self, model: RegisteredModel) -> dict[str, Any] | None:
        newest = max(model.versions.all(), key=lambda version: version.number, default=None)
        return newest and {
            "number": newest.number,
            "status": newest.status,
            "reason": newest.reason,
            "status_url": version_url(newest),
        }

    def get_prediction_endpoint(self, model: RegisteredModel) -> str:
        return prediction_url(model)

    def get_openapi_url(self, model: RegisteredModel) -> str:
        return f"{settings.SITE_URL}{reverse('api-model-openapi', args=[model.name])}"


class UploadedSerializer(serializers.Serializer):
    """What an upload answers, at once: the version is not admitted yet."""

    model = serializers.CharField()
    model_id = serializers.UUIDField()
    version = serializers.IntegerField()
    version_id = serializers.UUIDField()
    status = serializers.CharField()
    status_url = serializers.CharField()
    prediction_endpoint = serializers.CharField()

    def to_representation(self, version: ModelVersion) -> dict[str, Any]:
        return {
            "model": version.model.name,
            "model_id": str(version.model_id),
            "version": version.number,
            "version_id": str(version.pk),
            "status": version.status,
            "status_url": version_url(version),
            "prediction_endpoint": prediction_url(version.model),
        }


def version_url(version: ModelVersion) -> str:
    path = reverse("api-version", args=[str(version.model_id), version.number])
    return f"{settings.SITE_URL}{path}"


def prediction_url(model: RegisteredModel) -> str:
    return f"{settings.SITE_URL}{reverse('api-predict', args=[model.name])}"
