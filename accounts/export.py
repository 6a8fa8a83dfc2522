"""Everything the platform keeps about a person, for that person. No secret is in it."""

from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction

from accounts import audit, belongings
from accounts.models import APIKey, AuditEvent, Membership, User


@transaction.atomic
def export_account(user: User, *, at: datetime) -> dict[str, Any]:
    """As JSON, times as datetimes. The predictions they asked for are their organizations'."""
    exported = {
        "exported_at": at,
        "profile": _profile(user),
        "email_addresses": list(
            EmailAddress.objects.filter(user=user).values("email", "verified", "primary")
        ),
        "memberships": list(_memberships(user)),
        "api_keys": list(_keys(user)),
        "second_factors": list(
            Authenticator.objects.filter(user=user).values("type", "created_at", "last_used_at")
        ),
        "sessions": list(
            UserSession.objects.filter(user=user).values("ip", "user_agent", "created_at")
        ),
        "audit_events": [_event(event) for event in _events(user)],
        **belongings.export_all(user),
    }
    audit.record(organization=None, by=user, verb="account.exported", target=user)
    return exported


def _profile(user: User) -> dict[str, Any]:
    names = ("id", "email", "full_name", "time_zone", "theme", "created_at", "last_login")
    return {name: getattr(user, name) for name in names}


def _memberships(user: User) -> Any:
    memberships = Membership.objects.of(user).order_by("id")
    return memberships.values("organization__slug", "organization__name", "role", "created_at")


def _keys(user: User) -> Any:
    names = ("name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    return APIKey.objects.made_by(user).order_by("id").values("organization__slug", *names)


def _events(user: User) -> Any:
    return AuditEvent.objects.by_or_about(user).newest_first()


def _event(event: AuditEvent) -> dict[str, Any]:
    return {
        "created_at": event.created_at,
        "verb": event.verb,
        "sentence": event.sentence,
        "ip": event.ip,
    }
