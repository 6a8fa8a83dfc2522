"""The page behind a link that signs in once. The other pages of /accounts/ are allauth's."""

from http import HTTPStatus

from allauth.usersessions.models import UserSession
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts import audit, impersonation, login_links
from accounts.forms import SignInForm

BACKEND = "accounts.backends.EmailBackend"


@never_cache
@require_GET
def sign_in_by_link(request: HttpRequest, uidb64: str, token: str) -> HttpResponse:
    user = login_links.redeem(uidb64, token, at=now())
    if user is None:
        refused = "This link was used before, or has expired. Sign in with your password."
        page = {"form": SignInForm(request=request), "refused": refused}
        return render(request, "account/login.html", page, status=HTTPStatus.BAD_REQUEST)
    auth.login(request, user, backend=BACKEND)
    UserSession.objects.create_from_request(request)
    audit.record(
        organization=None, by=user, verb="account.signed_in", target=user, detail={"by": "link"}
    )
    return redirect("/")


@require_POST
def end_acting(request: HttpRequest) -> HttpResponse:
    """The operator who looked at the platform as somebody else is themselves again."""
    if request.operator is not None:
        impersonation.end(request, request.operator)
    return redirect("/")
