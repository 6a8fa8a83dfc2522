"""The audit log: everything that changes who may do what, or what answers.

Append-only: a trigger in the database refuses UPDATE and DELETE (docs/audit.md
has the operator's way to let old events go).
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, models, transaction

from accounts.models import AuditEvent, Organization, User
from mlplatform.foundation import request_facts

# Who acts where no person does: the worker, a command.
PLATFORM = "The platform"
LONGEST_LABEL = 300
LONGEST_DETAIL = 500


def record(
    *,
    organization: Organization | None,
    by: AbstractBaseUser | None,
    verb: str,
    target: models.Model | str,
    detail: dict[str, Any] | None = None,
) -> AuditEvent:
    """Write what happened, in the caller's transaction: both hold, or neither.

    `verb` is one of `audit_verbs.SENTENCES`; `target` the row it was done to,
    or its name; `organization` None for what concerns an account only, `by`
    None for the platform itself. No secret may stand in `detail`.
    """
    facts = request_facts.current()
    actor = by if isinstance(by, User) else None
    return AuditEvent.objects.create(
        organization=organization,
        actor=actor,
        actor_label=_label(actor) if actor else PLATFORM,
        api_key=facts.api_key,
        verb=verb,
        target_label=_label(target),
        detail={name: _short(value) for name, value in (detail or {}).items()},
        ip=facts.ip,
        request_id=facts.request_id,
        **_identity(target),
    )


def record_failed_sign_in(email: str) -> None:
    """The same work whether the address is known or not: the clock must not tell."""
    user = User.objects.filter(email=email).first()
    target = user or "an unknown address"
    record(organization=None, by=None, verb="account.sign_in_failed", target=target)


@transaction.atomic
def trim(*, before: datetime) -> int:
    """Let the events from before this time go, and write that down. For operators."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL mlplatform.trims_audit = 'yes'")
        count, _ = AuditEvent.objects.filter(created_at__lt=before).delete()
        cursor.execute("SET LOCAL mlplatform.trims_audit = 'no'")
    record(
        organization=None,
        by=None,
        verb="operator.audit_trimmed",
        target="the audit log",
        detail={"count": count, "before": before.isoformat(timespec="seconds")},
    )
    return count


def _identity(target: models.Model | str) -> dict[str, str]:
    if isinstance(target, str):
        return {}
    return {"target_type": target._meta.model_name, "target_id": str(target.pk)}


def _label(row: models.Model | str) -> str:
    """How the row was called then: it may be renamed or deleted later."""
    named = isinstance(row, User) and row.full_name
    return (f"{row.full_name} ({row.email})" if named else str(row))[:LONGEST_LABEL]


def _short(value: Any) -> Any:
    return value[:LONGEST_DETAIL] if isinstance(value, str) else value
