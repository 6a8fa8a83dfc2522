"""Pages of an organization. Which one, the session says; forms say it themselves."""

from django.urls import path

from accounts import organization_pages as pages

urlpatterns = [
    path("organization", pages.organization, name="organization"),
    path("organization/rename", pages.rename, name="rename-organization"),
    path("organization/leave", pages.leave, name="leave-organization"),
    path("organization/transfer", pages.transfer, name="transfer-organization"),
    path("organization/members/<uuid:user_id>/role", pages.change_role, name="change-role"),
    path("organization/members/<uuid:user_id>/remove", pages.remove_member, name="remove-member"),
    path("organization/invitations", pages.invite, name="invite"),
    path(
        "organization/invitations/<uuid:invitation_id>/withdraw",
        pages.withdraw,
        name="withdraw-invitation",
    ),
    path("organization/audit", pages.audit_log, name="audit"),
    path("organization/audit.csv", pages.audit_file, name="audit-file"),
    path("organizations/new", pages.create, name="new-organization"),
    path("organizations/switch", pages.switch, name="switch-organization"),
    path("invitations/<str:token>", pages.invitation, name="invitation"),
]
