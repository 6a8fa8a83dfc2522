"""Where everything is reached: pages at /, the API under /api/v1/, schema, admin, health."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import (
    SpectacularAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)
from rest_framework.permissions import AllowAny

from mlplatform import error_pages
from mlplatform.health import health

# Signing in is one page for everybody: with the second factor and the same limits.
admin.site.login = secure_admin_login(admin.site.login)

_open = {"permission_classes": [AllowAny], "authentication_classes": []}

urlpatterns = [
    path("", include("registry.urls")),
    path("", include("accounts.organization_urls")),
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

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.not_found
handler500 = error_pages.server_error
