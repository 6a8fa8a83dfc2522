"""Where everything is reached: pages at /, the API under /api/v1/, schema, admin, health."""

from http import HTTPStatus

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)
from rest_framework.permissions import AllowAny

from mlplatform.api import problem_page
from mlplatform.health import health

_open = {"permission_classes": [AllowAny], "authentication_classes": []}

urlpatterns = [
    path("", include("registry.urls")),
    path("accounts/", include("accounts.urls")),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/", include("registry.api.urls")),
    path("api/v1/", include("inference.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(**_open), name="schema"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema", **_open), name="docs"),
    path("redoc", SpectacularRedocView.as_view(url_name="schema", **_open), name="redoc"),
    path("health", health, name="health"),
    path("admin/", admin.site.urls),
]


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        detail = f"There is nothing at {request.path}. See /docs for what there is."
        return problem_page(request, HTTPStatus.NOT_FOUND, "not_found", detail)
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        detail = "The platform failed on this request. The log has the reason under the request id."
        return problem_page(request, HTTPStatus.INTERNAL_SERVER_ERROR, "error", detail)
    return render(request, "500.html", status=500)


handler404 = not_found
handler500 = server_error
