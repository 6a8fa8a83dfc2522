from django.urls import path

import registry.api.urls  # noqa: F401 (registers <model:…>: an id or a name)
from registry import views

urlpatterns = [
    path("", views.home, name="home"),
    path("models/<model:name>", views.model_page, name="model"),
    path("models/<model:name>/promote", views.promote_version, name="promote"),
    path("models/<model:name>/change", views.change_one, name="change-version"),
]
