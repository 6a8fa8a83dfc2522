"""The keys programs come with: `mlp_live_<8 characters to find it by>_<43 secret ones>`.

`mlp_test_…` works like `mlp_live_…`; it tells people, logs and secret scanners what it is for.
"""

import re
import secrets
import string
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac

from accounts import audit
from accounts.errors import KeyEnded, UnrestrictableKey
from accounts.models import APIKey, Organization, User
from accounts.roles import DEFAULT_SCOPES, Scope

# Everything that begins so is meant to be a key; no JWT does.
MARK = "mlp_"

_BASE62 = string.digits + string.ascii_letters
_SHAPE = re.compile(r"mlp_(live|test)_([0-9A-Za-z]{8})_[0-9A-Za-z]{43}", re.ASCII)


@transaction.atomic
def create_key(
    *,
    organization: Organization,
    by: User,
    name: str,
    at: datetime,
    scopes: Sequence[str] = DEFAULT_SCOPES,
    expires_at: datetime | None = None,
    mode: str = APIKey.Mode.LIVE,
    models: Sequence[UUID] | None = None,
    rate_limit: int | None = None,
    monthly_predictions: int | None = None,
) -> tuple[APIKey, str]:
    """A new key and its secret. The secret is stored nowhere: show it now or never.

    `models` are the only ones it sees; None: all. Raises UnrestrictableKey.
    """
    key = APIKey(
        organization=organization,
        created_by=by,
        name=name,
        prefix=_random_base62(8),
        mode=mode,
        expires_at=expires_at,
        rate_limit=rate_limit,
        monthly_predictions=monthly_predictions,
        created_at=at,
        **_reach(scopes, models),
    )
    secret = _new_secret(key)
    key.digest = _digest(secret, settings.SECRET_KEY)
    key.save(force_insert=True)
    audit.record(
        organization=organization,
        by=by,
        verb="key.created",
        target=key,
        detail={"scopes": key.scopes},
    )
    return key, secret


@transaction.atomic
def change_key(key: APIKey, *, by: User, **changes: Any) -> None:
    """Name, scopes, models, rate_limit or monthly_predictions. Raises UnrestrictableKey."""
    if "scopes" in changes or "models" in changes:
        models = changes.pop("models", key.only_models)
        changes |= _reach(changes.get("scopes", key.scopes), models)
    if changes:
        key.change(**changes)
        detail = {"changed": ", ".join(sorted(changes))}
        audit.record(
            organization=key.organization, by=by, verb="key.changed", target=key, detail=detail
        )


@transaction.atomic
def roll_key(key: APIKey, *, by: User, overlap: timedelta, at: datetime) -> tuple[APIKey, str]:
    """A new secret for the key. The old one works beside it for so long.

    Raises KeyEnded for a key that is revoked or has expired.
    """
    key = (
        APIKey.objects.select_for_update(of=["self"]).select_related("organization").get(pk=key.pk)
    )
    if not key.is_active(at=at):
        raise KeyEnded("This key is revoked or has expired. Make a new one.")
    secret = _new_secret(key)
    key.roll(_digest(secret, settings.SECRET_KEY), old_until=at + overlap)
    detail = {"overlap_hours": overlap / timedelta(hours=1)}
    audit.record(organization=key.organization, by=by, verb="key.rolled", target=key, detail=detail)
    return key, secret


@transaction.atomic
def revoke_key(key: APIKey, *, by: User, at: datetime) -> None:
    """For good; a second time changes nothing."""
    if key.revoked_at is None:
        key.revoke(at=at)
        audit.record(organization=key.organization, by=by, verb="key.revoked", target=key)


def find_key(secret: str, *, at: datetime) -> tuple[APIKey, datetime | None] | None:
    """The active key this is the secret of, and when the secret ends, if ever.

    The key comes with its organization, maker and the maker's role. None for
    every other text, and where the maker has left the organization. One query.
    """
    shape = _SHAPE.fullmatch(secret)
    if shape is None:
        return None
    keys = APIKey.objects.active(at=at).select_related("organization", "created_by")
    key = keys.with_creator_role().filter(mode=shape[1], prefix=shape[2]).first()
    if key is None or key.creator_role is None:
        return None
    if _matches(secret, key.digest):
        return key, key.expires_at
    if key.previous_digest and key.previous_until > at and _matches(secret, key.previous_digest):
        return key, min(key.previous_until, key.expires_at or key.previous_until)
    return None


def fingerprint(secret: str) -> str | None:
    """What a process remembers a secret by; None for what can be no key."""
    return _digest(secret, settings.SECRET_KEY) if _SHAPE.fullmatch(secret) else None


def _reach(scopes: Sequence[str], models: Sequence[UUID | str] | None) -> dict[str, Any]:
    if models is not None and Scope.ADMIN in scopes:
        raise UnrestrictableKey(
            "A key with the scope admin makes keys without restriction: it cannot be restricted "
            "to models itself.",
            errors=[{"pointer": "/models", "code": "unrestrictable", "detail": "Not with admin."}],
        )
    only = None if models is None else sorted({str(model) for model in models})
    return {"scopes": sorted(set(scopes)), "only_models": only}


def _new_secret(key: APIKey) -> str:
    return f"{key.shown_prefix}_{_random_base62(43)}"  # 43 of base 62 are 256 bits


def _matches(secret: str, digest: str) -> bool:
    return any(compare_digest(_digest(secret, pepper), digest) for pepper in _peppers())


def _peppers() -> Iterable[str]:
    """SECRET_KEY may be rotated without ending every key."""
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def _digest(secret: str, pepper: str) -> str:
    # Fast on purpose: 256 random bits need no slow hash, and this runs on every request.
    return salted_hmac("accounts.api_keys", secret, secret=pepper, algorithm="sha256").hexdigest()


def _random_base62(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))
