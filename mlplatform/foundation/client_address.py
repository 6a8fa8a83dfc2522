"""From which address a request comes, as far as that can be believed."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from django.conf import settings


def of(meta: Mapping[str, Any]) -> str | None:
    """The peer's address, or what the outermost of our TRUSTED_PROXIES saw as its peer.

    Each proxy appends its peer to X-Forwarded-For. So with n proxies of ours
    the n-th entry from the right is true, and everything left of it is what
    the client made up. None where the peer has no address: a unix socket.
    """
    seen = [meta.get("REMOTE_ADDR") or ""]
    if settings.TRUSTED_PROXIES:
        seen = (meta.get("HTTP_X_FORWARDED_FOR") or "").split(",") or seen
        seen = seen[-settings.TRUSTED_PROXIES :]
    return _checked(seen[0].strip())


def _checked(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # ::ffff:192.0.2.1 and 192.0.2.1 are one client.
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
