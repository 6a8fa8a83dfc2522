"""For operators: everything to look at, little to change."""

from typing import Any

from allauth.account import admin as address_admin
from allauth.account.models import EmailAddress
from allauth.mfa import admin as factor_admin  # noqa: F401 (registers first, to be replaced)
from allauth.mfa.models import Authenticator
from allauth.usersessions import admin as session_admin  # noqa: F401 (the same)
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.forms import BaseFormSet, ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.timezone import now
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts import api_keys, audit, generation, impersonation, operators
from accounts.errors import MailUnavailable
from accounts.models import (
    APIKey,
    APIKeyQuerySet,
    AuditEvent,
    Invitation,
    Membership,
    Organization,
    TokenFamily,
    User,
    UserQuerySet,
)
from accounts.sign_up import give_personal_organization

REPLACED = [Group, EmailAddress, Authenticator, UserSession]
admin.site.unregister(REPLACED)


class AuditedAdmin(ModelAdmin):
    """What an operator adds, changes or removes here is in the audit log, and holds at once."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        _audit(request, "operator.added", obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        _audit(request, "operator.changed", obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for row in queryset:
            _audit(request, "operator.removed", row, [])
        return super().log_deletions(request, queryset)

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        if change:
            _leave_behind(obj)
        super().save_model(request, obj, form, change)

    def save_formset(
        self, request: HttpRequest, form: ModelForm, formset: BaseFormSet, change: bool
    ) -> None:
        for kept in formset.initial_forms:
            _leave_behind(kept.instance)
        super().save_formset(request, form, formset, change)
        changed = [row for row, _ in formset.changed_objects]
        for row in [*formset.new_objects, *changed, *formset.deleted_objects]:
            _take_effect(row)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            _take_effect(row)
        super().delete_queryset(request, queryset)


def _audit(request: HttpRequest, verb: str, row: Any, message: Any) -> None:
    detail = {"changes": message}
    organization = _organization_of(row)
    audit.record(organization=organization, by=request.user, verb=verb, target=row, detail=detail)
    _take_effect(row)


def _organization_of(row: Any) -> Organization | None:
    return row if isinstance(row, Organization) else getattr(row, "organization", None)


def _take_effect(row: Any) -> None:
    """No process goes on with what it remembers of before."""
    if isinstance(row, User):
        generation.bump_for_user(row)
    elif (organization := _organization_of(row)) is not None:
        generation.bump(organization)


def _leave_behind(row: Any) -> None:
    """The same for the organization that the row is about to be moved away from."""
    _take_effect(type(row)._default_manager.filter(pk=row.pk).first())


class NewUserForm(UserCreationForm):
    class Meta:
        model = User
        fields = ["email", "full_name"]


class MembershipInline(TabularInline):
    model = Membership
    extra = 0
    fields = ["user", "organization", "role", "created_at"]
    readonly_fields = ["created_at"]
    autocomplete_fields = ["user", "organization"]


class NewPasswordForm(AdminPasswordChangeForm):
    def set_password_and_save(self, user: User, **names: Any) -> User:
        user.change_password(self.cleaned_data["password1"])
        return user


@admin.register(User)
class UserAdmin(DjangoUserAdmin, AuditedAdmin):
    form = UserChangeForm
    add_form = NewUserForm
    change_password_form = NewPasswordForm
    actions = ["deactivate", "reactivate", "demand_new_password", "act_as"]
    inlines = [MembershipInline]
    ordering = ["-created_at"]
    list_display = ["email", "full_name", "is_active", "is_staff", "created_at", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser", "created_at"]
    search_fields = ["email", "full_name"]
    # Switching somebody off ends keys and tokens as well: an action, not a field.
    readonly_fields = ["is_active", "created_at", "last_login"]
    fieldsets = [
        (None, {"fields": ["email", "full_name", "password", "created_at", "last_login"]}),
        (
            "Rights on the platform",
            {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
    ]
    add_fieldsets = [
        (None, {"fields": ["email", "full_name", "usable_password", "password1", "password2"]})
    ]

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            give_personal_organization(obj, at=now())

    @admin.action(description="Deactivate the chosen people", permissions=["change"])
    def deactivate(self, request: HttpRequest, people: UserQuerySet) -> None:
        for user in people.exclude(pk=request.user.pk):
            operators.deactivate(user, by=request.user)
        self.message_user(request, "Their sessions, tokens and keys have ended.")

    @admin.action(description="Reactivate the chosen people", permissions=["change"])
    def reactivate(self, request: HttpRequest, people: UserQuerySet) -> None:
        for user in people:
            operators.reactivate(user, by=request.user)
        self.message_user(request, "They may sign in again; their keys work again.")

    @admin.action(description="Demand a new password (by mail)", permissions=["change"])
    def demand_new_password(self, request: HttpRequest, people: UserQuerySet) -> None:
        try:
            for user in people.exclude(pk=request.user.pk):
                operators.demand_new_password(user, by=request.user, request=request)
        except MailUnavailable as error:
            self.message_user(request, error.detail, messages.ERROR)
        else:
            self.message_user(request, "They are signed out and have a mail with a link.")

    @admin.action(description="Look at the platform as this person", permissions=["act_as"])
    def act_as(self, request: HttpRequest, people: UserQuerySet) -> HttpResponse | None:
        if len(people) != 1:
            self.message_user(request, "Choose one person.", messages.ERROR)
            return None
        impersonation.begin(request, people[0], at=now())
        return redirect("/")

    def has_act_as_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[type[TabularInline]]:
        # A new user's first membership is made with their organization.
        return self.inlines if obj else []


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, AuditedAdmin):
    pass


@admin.register(Organization)
class OrganizationAdmin(AuditedAdmin):
    inlines = [MembershipInline]
    list_display = ["slug", "name", "is_personal", "created_at"]
    list_filter = ["is_personal", "created_at"]
    search_fields = ["slug", "name"]
    readonly_fields = ["id", "is_personal", "created_at"]
    fields = [
        "id",
        "name",
        "slug",
        "rate_limit",
        "monthly_predictions",
        "is_personal",
        "created_at",
    ]


@admin.register(Membership)
class MembershipAdmin(AuditedAdmin):
    list_display = ["user", "organization", "role", "created_at"]
    list_filter = ["role", "created_at"]
    list_select_related = ["user", "organization"]
    search_fields = ["user__email", "organization__slug"]
    autocomplete_fields = ["user", "organization"]
    readonly_fields = ["created_at"]


class ReadOnlyAdmin(ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    list_display = ["user", "created_at", "last_seen_at", "ip", "user_agent"]
    list_select_related = ["user"]
    search_fields = ["user__email", "ip"]
    exclude = ["session_key", "data"]  # who has the key is signed in


@admin.register(Authenticator)
class AuthenticatorAdmin(AuditedAdmin):
    """Second factors. Removing one helps who has lost it."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_filter = ["type"]
    list_select_related = ["user"]
    search_fields = ["user__email"]
    exclude = ["data"]  # the secrets

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(EmailAddress)
class EmailAddressAdmin(address_admin.EmailAddressAdmin, AuditedAdmin):
    pass


@admin.register(APIKey)
class APIKeyAdmin(ReadOnlyAdmin):
    list_display = [
        "name",
        "prefix",
        "organization",
        "created_by",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    ]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter), "created_at", "last_used_at"]
    list_select_related = ["organization", "created_by"]
    search_fields = ["name", "prefix", "organization__slug", "created_by__email"]
    exclude = ["digest", "previous_digest"]
    actions = ["revoke"]

    @admin.action(description="Revoke the chosen keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: APIKeyQuerySet) -> None:
        at = now()
        for key in keys:
            api_keys.revoke_key(key, by=request.user, at=at)
        self.message_user(request, "The chosen keys are revoked.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apikey")


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = [
        "email",
        "organization",
        "role",
        "invited_by",
        "created_at",
        "accepted_at",
        "revoked_at",
    ]
    list_filter = ["role", "created_at", ("accepted_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organization", "invited_by"]
    search_fields = ["email", "organization__slug", "invited_by__email"]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "sentence", "verb", "ip", "api_key", "request_id"]
    list_filter = ["created_at", "verb", "target_type"]
    # Not the organization's row: an event outlives it.
    search_fields = ["actor_label", "target_label", "verb", "request_id", "api_key"]
    ordering = ["-created_at", "-id"]
    exclude = ["organization", "actor"]
    show_full_result_count = False


@admin.register(TokenFamily)
class TokenFamilyAdmin(ReadOnlyAdmin):
    list_display = ["user", "created_at", "expires_at", "revoked_at"]
    list_filter = ["created_at", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["user__email"]
    exclude = ["refresh_jti"]
