"""Pages: sign in, and sign in by link. Signing out is Django's view."""

from http import HTTPStatus

from django.contrib import auth
from django.contrib.auth import views
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts import audit, login_links
from accounts.emails import canonical_email
from accounts.forms import SignInForm

BACKEND = "accounts.backends.EmailBackend"


class SignInView(views.LoginView):
    template_name = "accounts/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: SignInForm) -> HttpResponse:
        user = form.get_user()
        audit.record(organization=None, by=user, verb="account.signed_in", target=user)
        return super().form_valid(form)

    def form_invalid(self, form: SignInForm) -> HttpResponse:
        audit.record_failed_sign_in(canonical_email(form.cleaned_data.get("username", "")))
        return super().form_invalid(form)


@never_cache
@require_GET
def sign_in_by_link(request: HttpRequest, uidb64: str, token: str) -> HttpResponse:
    user = login_links.redeem(uidb64, token, at=now())
    if user is None:
        refused = "This link was used before, or has expired. Sign in with your password."
        page = {"form": SignInForm(request), "refused": refused}
        return render(request, "accounts/login.html", page, status=HTTPStatus.BAD_REQUEST)
    auth.login(request, user, backend=BACKEND)
    audit.record(
        organization=None, by=user, verb="account.signed_in", target=user, detail={"by": "link"}
    )
    return redirect("/")
