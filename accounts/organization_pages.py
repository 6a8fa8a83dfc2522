"""Pages of an organization: its people, invitations, audit log, and choosing one."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Paginator
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit_csv, invitations, members, organizations
from accounts.models import AuditEvent, AuditEventQuerySet, Invitation, Membership
from accounts.organization_forms import (
    AuditFilterForm,
    HeirForm,
    InviteForm,
    NewOrganizationForm,
    RenameForm,
    RoleForm,
)
from accounts.roles import OF_ROLE, SENTENCES, Capability, Role, manageable_with
from accounts.tenancy import Standing, choose, stand_in, standing_of

PAGE_SIZE = 50


@require_safe
@never_cache
@login_required
def organization(request: HttpRequest) -> HttpResponse:
    """Who is in the organization, what each may do, who is invited; renaming and leaving it."""
    return _page(request, standing_of(request))


@require_POST
@login_required
def rename(request: HttpRequest) -> HttpResponse:
    standing = _meant(request, Capability.ADMINISTER)
    form = RenameForm(request.POST)
    if not form.is_valid():
        return _page(request, standing, rename_form=form)
    organizations.rename(standing.organization, by=request.user, **form.cleaned_data)
    return _done(request, "The organization is renamed.")


@require_POST
@login_required
def change_role(request: HttpRequest, user_id: UUID) -> HttpResponse:
    standing = _meant(request, Capability.ADMINISTER)
    role = _clean(RoleForm(request.POST, roles=frozenset(Role.values)))["role"]
    member = members.change_role(
        standing=standing, by=request.user, user_id=user_id, role=role, at=now()
    )
    return _done(request, f"{member.user.get_full_name()} has the role {member.role} now.")


@require_POST
@login_required
def remove_member(request: HttpRequest, user_id: UUID) -> HttpResponse:
    standing = _meant(request, Capability.ADMINISTER)
    members.remove(standing=standing, by=request.user, user_id=user_id, at=now())
    return _done(request, "They are out of the organization, and their API keys here are void.")


@require_POST
@login_required
def leave(request: HttpRequest) -> HttpResponse:
    left = _meant(request, None).organization
    members.leave(organization=left, user=request.user, at=now())
    messages.success(request, f"You have left {left.name}.")
    return redirect("home")


@require_POST
@login_required
def transfer(request: HttpRequest) -> HttpResponse:
    standing = _meant(request, Capability.OWN)
    heir = members.transfer(standing=standing, by=request.user, **_clean(HeirForm(request.POST)))
    return _done(request, f"{heir.user.get_full_name()} is the owner now, and you are an admin.")


@require_POST
@login_required
def invite(request: HttpRequest) -> HttpResponse:
    standing = _meant(request, Capability.ADMINISTER)
    form = InviteForm(request.POST, roles=frozenset(Role.values))
    if not form.is_valid():
        return _page(request, standing, invite_form=form)
    invitation = invitations.invite(
        standing=standing, by=request.user, at=now(), **form.cleaned_data
    )
    return _done(request, f"{invitation.email} is invited.")


@require_POST
@login_required
def withdraw(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    standing = _meant(request, Capability.ADMINISTER)
    waiting = Invitation.objects.for_organization(standing.organization).pending(at=now())
    invitation = get_object_or_404(waiting.select_related("organization"), pk=invitation_id)
    invitations.withdraw(invitation, by=request.user, at=now())
    return _done(request, f"The invitation of {invitation.email} is withdrawn.")


@require_POST
@login_required
def create(request: HttpRequest) -> HttpResponse:
    form = NewOrganizationForm(request.POST)
    if not form.is_valid():
        return _page(request, standing_of(request), new_form=form)
    made = organizations.create(name=form.cleaned_data["new_name"], by=request.user, at=now())
    choose(request, str(made.pk))
    return _done(request, f"{made.name} is yours, and chosen.")


@require_POST
@login_required
def switch(request: HttpRequest) -> HttpResponse:
    """Pages act in another of one's organizations from now on."""
    chosen = choose(request, request.POST.get("organization", ""))
    messages.success(request, f"You are in {chosen.name} now.")
    after = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        after, {request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(after) if is_ours else redirect("home")


@require_safe
@never_cache
@login_required
def audit_log(request: HttpRequest) -> HttpResponse:
    """Who did what, the newest first."""
    standing = _may(standing_of(request), Capability.ADMINISTER)
    form = AuditFilterForm(request.GET)
    asked = request.GET.copy()
    asked.pop("page", None)
    context = {
        "organization": standing.organization,
        "form": form,
        "query": asked.urlencode(),
        "page": Paginator(_events(standing, form), PAGE_SIZE).get_page(request.GET.get("page")),
    }
    return render(request, "accounts/organization_audit.html", context)


@require_safe
@never_cache
@login_required
def audit_file(request: HttpRequest) -> HttpResponseBase:
    """The same as CSV, all of it."""
    standing = _may(standing_of(request), Capability.ADMINISTER)
    events = _events(standing, AuditFilterForm(request.GET))
    return audit_csv.as_file(events, name=standing.organization.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Where the link in the mail leads: who asks, and a button to join."""
    found = invitations.find(token, at=now())
    if request.method != "POST" or not request.user.is_authenticated:
        context = {"invitation": found, "token": token}
        return render(request, "accounts/organization_invitation.html", context)
    member = invitations.accept(token, by=request.user, at=now())
    choose(request, str(member.organization_id))
    messages.success(request, f"You are in {member.organization.name} now, as {member.role}.")
    return redirect("organization")


def _meant(request: HttpRequest, capability: Capability | None) -> Standing:
    """In the organization that the form was shown for, whichever was chosen in another tab since.

    Raises UnknownOrganization or PermissionDenied.
    """
    stand_in(request, request.POST.get("organization", ""))
    return _may(standing_of(request), capability)


def _may(standing: Standing, capability: Capability | None) -> Standing:
    if capability is not None and capability not in standing.capabilities:
        raise PermissionDenied("Your role in this organization does not allow this.")
    return standing


def _clean(form: Form) -> dict[str, Any]:
    """For forms without a text to correct: what is wrong in them did not come from our pages."""
    if not form.is_valid():
        raise BadRequest("the form says something else than the page asked")
    return form.cleaned_data


def _done(request: HttpRequest, message: str) -> HttpResponse:
    messages.success(request, message)
    return redirect("organization")


def _events(standing: Standing, form: AuditFilterForm) -> AuditEventQuerySet:
    events = AuditEvent.objects.for_organization(standing.organization).newest_first()
    if not form.is_valid():
        return events.none()
    return events.matching(**form.cleaned_data)


def _page(request: HttpRequest, standing: Standing, **forms: Form) -> HttpResponse:
    organization = standing.organization
    reach = manageable_with(standing.capabilities)
    people = Paginator(Membership.objects.in_organization(organization), PAGE_SIZE)
    waiting = Invitation.objects.for_organization(organization).pending(at=now())
    context = {
        "organization": organization,
        "standing": standing,
        "page": people.get_page(request.GET.get("page")),
        "invitations": waiting.select_related("invited_by").newest_first(),
        "reach": [role.value for role in Role if role in reach],
        "role_table": _role_table(),
        "may_administer": Capability.ADMINISTER in standing.capabilities,
        "may_own": Capability.OWN in standing.capabilities,
        "rename_form": RenameForm(initial={"name": organization.name}),
        "invite_form": InviteForm(roles=reach, initial={"role": Role.DEVELOPER}),
        "new_form": NewOrganizationForm(),
        **forms,
    }
    status = 400 if forms else 200
    return render(request, "accounts/organization.html", context, status=status)


def _role_table() -> list[tuple[str, list[bool]]]:
    """What may be done, and whether each role (in the order of Role) may."""
    return [
        (SENTENCES[capability], [capability in OF_ROLE[role] for role in Role])
        for capability in Capability
    ]
