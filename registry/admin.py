from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.timezone import now
from unfold.admin import ModelAdmin

from accounts.admin import AuditedAdmin
from registry import quarantine
from registry.errors import VersionNotReady
from registry.forms import RefusalForm
from registry.models import Alias, ImportRule, ModelVersion, RegisteredModel


class ReadMostly(ModelAdmin):
    """Rows are made by uploads; an operator looks."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(RegisteredModel)
class RegisteredModelAdmin(AuditedAdmin, ReadMostly):
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
    actions = ["release", "refuse"]

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        return [field.name for field in ModelVersion._meta.fields]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).select_related("model")

    @admin.action(description="Release from quarantine…", permissions=["change"])
    def release(
        self, request: HttpRequest, versions: QuerySet[ModelVersion]
    ) -> TemplateResponse | None:
        if "confirmed" not in request.POST:
            return self._asked(request, versions, "release")
        for version in versions:
            self._decided(request, version, quarantine.release)
        return None

    @admin.action(description="Reject what is in quarantine…", permissions=["change"])
    def refuse(
        self, request: HttpRequest, versions: QuerySet[ModelVersion]
    ) -> TemplateResponse | None:
        form = RefusalForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._asked(request, versions, "refuse", form)
        for version in versions:
            self._decided(request, version, quarantine.refuse, reason=form.cleaned_data["reason"])
        return None

    def _asked(
        self,
        request: HttpRequest,
        versions: QuerySet[ModelVersion],
        action: str,
        form: RefusalForm | None = None,
    ) -> TemplateResponse:
        """A page that shows what was found and asks once more."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Release from quarantine" if action == "release" else "Reject for good",
            "versions": versions.select_related("model__organization", "created_by"),
            "action": action,
            "form": form,
        }
        return TemplateResponse(request, "registry/decide.html", context)

    def _decided(
        self, request: HttpRequest, version: ModelVersion, decide: Any, **options: str
    ) -> None:
        try:
            decide(version, by=request.user, at=now(), **options)
        except VersionNotReady as error:
            self.message_user(request, error.detail, messages.ERROR)
        else:
            self.message_user(request, f"{version}: done.")


@admin.register(ImportRule)
class ImportRuleAdmin(AuditedAdmin):
    """What files may import; docs/admission.md tells which rule holds."""

    list_display = ["pattern", "verdict", "note", "created_by", "created_at"]
    list_filter = ["verdict"]
    list_select_related = ["created_by"]
    search_fields = ["pattern", "note"]
    fields = ["pattern", "verdict", "note"]

    def save_model(
        self, request: HttpRequest, obj: ImportRule, form: ModelForm, change: bool
    ) -> None:
        if not change:
            obj.created_by = request.user
        super().save_model(request, obj, form, change)


@admin.register(Alias)
class AliasAdmin(ReadMostly):
    list_display = ["model", "name", "version", "updated_at"]
    search_fields = ["model__name", "name"]
    readonly_fields = ["model", "name", "version", "updated_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alias]:
        return super().get_queryset(request).select_related("model", "version__model")
