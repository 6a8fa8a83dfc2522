from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from inference.models import Prediction


@admin.register(Prediction)
class PredictionAdmin(ModelAdmin):
    """The log, to look at. Searched by the ids that lead to an index."""

    list_display = ["id", "ts", "organization_id", "version_number", "rows", "status", "latency_ms"]
    list_filter = ["status"]
    search_fields = ["organization_id__exact", "version_id__exact", "id__exact"]
    search_help_text = "the whole id of an organization, a version or a prediction"
    ordering = ["-ts"]
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
