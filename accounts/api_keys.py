"""The keys programs come with: `mlp_live_<8 characters to find it by>_<43 secret ones>`."""

import re
import secrets
import string
from collections.abc import Iterable, Sequence
from datetime import datetime
from hmac import compare_digest

from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac

from accounts import audit
from accounts.models import APIKey, Organization, User
from accounts.roles import DEFAULT_SCOPES

# Everything that begins so is meant to be a key; no JWT does.
MARK = "mlp_"

_BASE62 = string.digits + string.ascii_letters
_SHAPE = re.compile(r"mlp_live_([0-9A-Za-z]{8})_[0-9A-Za-z]{43}", re.ASCII)


@transaction.atomic
def create_key(
    *,
    organization: Organization,
    by: User,
    name: str,
    at: datetime,
    scopes: Sequence[str] = DEFAULT_SCOPES,
    expires_at: datetime | None = None,
) -> tuple[APIKey, str]:
    """A new key and its secret. The secret is stored nowhere: show it now or never."""
    prefix = _random_base62(8)
    secret = f"mlp_live_{prefix}_{_random_base62(43)}"  # 43 of base 62 are 256 bits
    key = APIKey.objects.create(
        organization=organization,
        created_by=by,
        name=name,
        prefix=prefix,
        digest=_digest(secret, settings.SECRET_KEY),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
        created_at=at,
    )
    audit.record(
        organization=organization,
        by=by,
        verb="key.created",
        target=key,
        detail={"scopes": key.scopes},
    )
    return key, secret


@transaction.atomic
def revoke_key(key: APIKey, *, by: User, at: datetime) -> None:
    """For good; a second time changes nothing."""
    if key.revoked_at is None:
        key.revoke(at=at)
        audit.record(organization=key.organization, by=by, verb="key.revoked", target=key)


def find_key(secret: str, *, at: datetime) -> APIKey | None:
    """The active key this is the secret of, with its organization, maker and the maker's role.

    None for every other text, and where the maker has left the organization. One query.
    """
    shape = _SHAPE.fullmatch(secret)
    if shape is None:
        return None
    keys = APIKey.objects.active(at=at).select_related("organization", "created_by")
    key = keys.with_creator_role().filter(prefix=shape[1]).first()
    if key is None or key.creator_role is None or not _is_secret_of(secret, key):
        return None
    return key


def _is_secret_of(secret: str, key: APIKey) -> bool:
    return any(compare_digest(_digest(secret, pepper), key.digest) for pepper in _peppers())


def _peppers() -> Iterable[str]:
    """SECRET_KEY may be rotated without ending every key."""
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def _digest(secret: str, pepper: str) -> str:
    # Fast on purpose: 256 random bits need no slow hash, and this runs on every request.
    return salted_hmac("accounts.api_keys", secret, secret=pepper, algorithm="sha256").hexdigest()


def _random_base62(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))
