"""Pages about oneself that django-allauth does not have."""

from allauth.usersessions.models import UserSession
from django.contrib import auth, messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit, profile
from accounts.deletion import delete_account, organizations_in_the_way
from accounts.export import export_account
from accounts.forms import DeletionForm, ProfileForm


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def profile_page(request: HttpRequest) -> HttpResponse:
    """Name, time zone, theme."""
    user = request.user
    now_kept = {"full_name": user.full_name, "time_zone": user.time_zone, "theme": user.theme}
    form = ProfileForm(request.POST or None, initial=now_kept)
    if form.is_valid():
        profile.change_profile(user, **form.cleaned_data)
        messages.success(request, "Your profile is changed.")
        return redirect("profile")
    return render(request, "accounts/profile.html", {"form": form})


@require_safe
@never_cache
@login_required
def data_page(request: HttpRequest) -> HttpResponse:
    """Take one's data along, or leave for good."""
    return _data_page(request, DeletionForm())


@require_safe
@never_cache
@login_required
def export(request: HttpRequest) -> HttpResponse:
    """A file with everything the platform keeps about one."""
    exported = export_account(request.user, at=now())
    answer = JsonResponse(exported, json_dumps_params={"indent": 2, "ensure_ascii": False})
    answer["Content-Disposition"] = 'attachment; filename="mlplatform-account.json"'
    return answer


@require_POST
@sensitive_post_parameters("password")
@login_required
def delete(request: HttpRequest) -> HttpResponse:
    """Delete the account, once the password is given again."""
    form = DeletionForm(request.POST)
    if form.is_valid() and not profile.is_own_password(
        request, form.cleaned_data["password"], user=request.user
    ):
        form.add_error("password", "This is not your password.")
    if not form.is_valid():
        return _data_page(request, form)

    delete_account(request.user, at=now())

    auth.logout(request)
    messages.success(request, "Your account is deleted.")
    return redirect("home")


@require_POST
@login_required
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign one of one's own browsers out."""
    session = get_object_or_404(UserSession, pk=session_id, user=request.user)
    detail = {"browser": session.user_agent}

    session.end()

    me = request.user
    audit.record(organization=None, by=me, verb="account.signed_out", target=me, detail=detail)
    messages.success(request, "That browser is signed out.")
    return redirect("usersessions_list")


def _data_page(request: HttpRequest, form: DeletionForm) -> HttpResponse:
    context = {"form": form, "in_the_way": organizations_in_the_way(request.user)}
    return render(request, "accounts/data.html", context)
