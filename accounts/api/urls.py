from django.urls import include, path

from accounts.api import audit, invitations, organizations, people_views, views

_in_organization = [
    path("", organizations.OrganizationView.as_view(), name="api-organization"),
    path("/members", organizations.MembersView.as_view(), name="api-members"),
    path("/members/<uuid:user_id>", organizations.MemberView.as_view(), name="api-member"),
    path("/leave", organizations.LeaveView.as_view(), name="api-leave"),
    path("/transfer", organizations.TransferView.as_view(), name="api-transfer"),
    path("/invitations", invitations.InvitationsView.as_view(), name="api-invitations"),
    path(
        "/invitations/<uuid:invitation_id>",
        invitations.InvitationView.as_view(),
        name="api-invitation",
    ),
    path("/audit", audit.AuditView.as_view(), name="api-audit"),
]

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
    path("users/me/audit", audit.MyAuditView.as_view(), name="api-my-audit"),
    path("keys", views.KeysView.as_view(), name="api-keys"),
    path("keys/<uuid:key_id>", views.KeyView.as_view(), name="api-key"),
    path("keys/<uuid:key_id>/roll", views.RollKeyView.as_view(), name="api-key-roll"),
    path("organizations", organizations.OrganizationsView.as_view(), name="api-organizations"),
    path("invitations/accept", invitations.AcceptView.as_view(), name="api-accept-invitation"),
    path("organizations/<str:organization>", include(_in_organization)),
]
