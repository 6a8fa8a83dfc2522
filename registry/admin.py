from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from registry.models import Alias, ModelVersion, RegisteredModel


class ReadMostly(ModelAdmin):
    """Rows are made by uploads; an operator looks."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(RegisteredModel)
class RegisteredModelAdmin(ReadMostly):
    list_display = ["name", "organization", "created_by", "updated_at", "deleted_at"]
    list_filter = ["deleted_at"]
    search_fields = ["name", "organization__slug", "created_by__email"]
    fields = ["id", "organization", "name", "description", "tags", "metadata", "created_by",
              "created_at", "updated_at", "deleted_at"]  # fmt: skip
    readonly_fields = ["id", "organization", "name", "created_by", "created_at", "updated_at",
                       "deleted_at"]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[RegisteredModel]:
        return super().get_queryset(request).select_related("organization", "created_by")


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadMostly):
    list_display = ["model", "number", "status", "runtime", "size", "reason_code", "created_at"]
    list_filter = ["status", "runtime", "format", "reason_code"]
    search_fields = ["model__name", "digest", "model__organization__slug"]

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return [field.name for field in ModelVersion._meta.fields]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).select_related("model")


@admin.register(Alias)
class AliasAdmin(ReadMostly):
    list_display = ["model", "name", "version", "updated_at"]
    search_fields = ["model__name", "name"]
    readonly_fields = ["model", "name", "version", "updated_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alias]:
        return super().get_queryset(request).select_related("model", "version__model")
