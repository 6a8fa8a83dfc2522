from django.urls import path

from accounts.api import people_views, views

urlpatterns = [
    path("auth/register", views.RegisterView.as_view(), name="api-register"),
    path("auth/login", views.LoginView.as_view(), name="api-login"),
    path("auth/refresh", views.RefreshView.as_view(), name="api-refresh"),
    path("auth/logout", views.LogoutView.as_view(), name="api-logout"),
    path(
        "auth/password/reset", people_views.PasswordResetView.as_view(), name="api-password-reset"
    ),
    path(
        "auth/password/reset/confirm",
        people_views.PasswordResetConfirmView.as_view(),
        name="api-password-reset-confirm",
    ),
    path("users/me", people_views.MeView.as_view(), name="api-me"),
    path("users/me/password", people_views.PasswordView.as_view(), name="api-password"),
    path("users/me/export", people_views.ExportView.as_view(), name="api-export"),
    path("keys", views.KeysView.as_view(), name="api-keys"),
    path("keys/<uuid:key_id>", views.KeyView.as_view(), name="api-key"),
]
