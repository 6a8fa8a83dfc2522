"""How django-allauth's pages do things here: our users, our passwords, our address in mails."""

from dataclasses import dataclass
from smtplib import SMTPException
from typing import Any
from urllib.parse import urljoin, urlsplit

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.core import context
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.forms import Form
from django.http import HttpRequest
from django.utils.timezone import now

from accounts import attempts, audit, families, generation, profile
from accounts.emails import MAX_LENGTH, canonical_email
from accounts.errors import MailUnavailable
from accounts.models import User
from accounts.sign_up import register
from mlplatform.foundation import request_facts

logger = structlog.get_logger(__name__)

# Where the server cannot tell (a unix socket without a proxy): one visitor to all limits.
NO_ADDRESS = "0.0.0.0"  # noqa: S104  # nosec B104 # bound to nothing


@dataclass(frozen=True)
class _Site:
    """What allauth's mails call us."""

    name: str
    domain: str


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "The e-mail address or the password is wrong.",
        "email_taken": "Somebody has signed up with this address already.",
        "too_many_login_attempts": "Too many failed attempts. Wait some minutes, then try again.",
    }

    # --- people -------------------------------------------------------------

    def save_user(self, request: HttpRequest, user: User, form: Form, commit: bool = True) -> User:
        """A new user as everywhere: with a personal organization."""
        given = form.cleaned_data
        return register(
            email=given["email"],
            password=given["password1"],
            full_name=given.get("full_name", ""),
            at=now(),
        )

    def set_password(self, user: User, password: str) -> None:
        is_signed_in = self.request.user.is_authenticated
        change = profile.change_password if is_signed_in else profile.reset_password
        change(user, password)
        if not is_signed_in:
            # Who followed the mail has shown who they are: their earlier guesses are forgiven.
            attempts.succeeded(self.request, user.email)

    def clean_email(self, email: str) -> str:
        email = canonical_email(email)
        if len(email) > MAX_LENGTH:
            raise ValidationError(f"At most {MAX_LENGTH} characters.", code="max_length")
        return email

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """False where somebody else has signed up with this address meanwhile."""
        try:
            with transaction.atomic():
                return self._confirm(request, email_address)
        except IntegrityError:
            messages.error(request, "Somebody has signed up with this address meanwhile.")
            return False

    def _confirm(self, request: HttpRequest, address: EmailAddress) -> bool:
        user, before = address.user, address.user.email
        if not super().confirm_email(request, address):
            return False
        if address.email != before:
            generation.bump_for_user(user)
            detail = {"old": before, "new": address.email}
            audit.record(
                organization=None, by=user, verb="account.email_changed", target=user, detail=detail
            )
        return True

    # --- the audit log ------------------------------------------------------

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        audit.record(organization=None, by=user, verb="account.signed_in", target=user)

    def logout(self, request: HttpRequest) -> None:
        if request.user.is_authenticated:
            who = request.user
            audit.record(organization=None, by=who, verb="account.signed_out", target=who)
        super().logout(request)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        audit.record_failed_sign_in(canonical_email(credentials.get("email", "")))

    # --- limits -------------------------------------------------------------

    def get_client_ip(self, request: HttpRequest) -> str:
        return request_facts.current().ip or NO_ADDRESS

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # Not the Host header as by default: who varies it would guess more often.
        return canonical_email(credentials.get("email", ""))

    # --- mails --------------------------------------------------------------

    def send_mail(self, template_prefix: str, email: str, facts: dict[str, Any]) -> None:
        """Raises MailUnavailable. Links begin with SITE_URL, whatever Host the request named."""
        links = {name: _on_our_site(url) for name, url in facts.items() if name.endswith("_url")}
        site = _Site("mlplatform", settings.SITE_URL)
        try:
            super().send_mail(template_prefix, email, {**facts, **links, "current_site": site})
        except (OSError, SMTPException) as error:
            logger.exception("a mail could not be sent", template=template_prefix)
            raise MailUnavailable(
                "The mail could not be sent. Try again in some minutes.", retry_after=60
            ) from error

    def send_notification_mail(
        self, template_prefix: str, user: User, *args: Any, **options: Any
    ) -> None:
        # Every change of a second factor, and nothing else of allauth.mfa, comes by here.
        if template_prefix.startswith("mfa/"):
            detail = {"change": template_prefix.rpartition("/")[2]}
            audit.record(
                organization=None, by=user, verb="account.mfa_changed", target=user, detail=detail
            )
        # What it tells of has happened: the request must not fail for it. `send_mail` logs.
        try:
            super().send_notification_mail(template_prefix, user, *args, **options)
        except MailUnavailable:
            pass

    def send_confirmation_mail(
        self, request: HttpRequest, confirmation: EmailConfirmationHMAC, signup: bool
    ) -> None:
        # Nor may a sign-up fail: the page of the e-mail address sends it again.
        try:
            super().send_confirmation_mail(request, confirmation, signup)
        except MailUnavailable as unavailable:
            _tell(request, messages.ERROR, unavailable.detail)
        else:
            address = confirmation.email_address.email
            _tell(request, messages.INFO, f"We sent a mail to {address}. Follow the link in it.")


class SessionsAdapter(DefaultUserSessionsAdapter):
    def end_sessions(self, sessions: list[UserSession]) -> None:
        """Everywhere else: other browsers, and what programs got by the password."""
        super().end_sessions(sessions)
        user = context.request.user
        families.revoke_all(user, at=now())
        audit.record(organization=None, by=user, verb="account.signed_out_everywhere", target=user)


def _tell(request: HttpRequest, level: int, text: str) -> None:
    # Programs read no messages, and would be given a cookie for them.
    if not request.path.startswith("/api/"):
        messages.add_message(request, level, text)


def _on_our_site(url: str) -> str:
    parts = urlsplit(url)
    return urljoin(settings.SITE_URL, parts._replace(scheme="", netloc="").geturl())
