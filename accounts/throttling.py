"""Limits where nobody is known yet, and what every answer of the API says of its limit."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from accounts import gate, limits
from accounts.access import leave_verdict
from accounts.limits import Verdict
from mlplatform.foundation import client_address
from mlplatform.foundation.errors import StoreUnavailable

API = "/api/v1/"


def limit_address(
    request: HttpRequest | Request, door: str, *, limit: int, fails_closed: bool = False
) -> None:
    """Count a request at this door against its address. Raises RateLimited.

    `fails_closed`: without Redis raise StoreUnavailable instead of counting
    here, for doors at which secrets could be guessed.
    """
    name = f"{door}:{network_of(client_address.of(request.META))}"
    answer = gate.ask(gate.Question(rate_key=limits.key_of(name), rate_limit=limit))
    if answer is not None:
        leave_verdict(request, limits.verdict(limit=limit, used=answer.used))
    elif fails_closed:
        raise unavailable()
    else:
        leave_verdict(request, limits.local.count(name, limit=limit))


def network_of(address: str | None) -> str:
    """What one client can hardly leave: an IPv4 address, or the /64 of an IPv6 one."""
    if address is None:
        return "unknown"
    if isinstance(ip_address(address), IPv6Address):
        return str(ip_network(f"{address}/64", strict=False))
    return address


def unavailable() -> StoreUnavailable:
    return StoreUnavailable(
        "Signing in and up is closed while attempts cannot be counted. Try again in some seconds.",
        retry_after=5,
    )


class RateLimitHeaders:
    """The limit of whoever sent the request, on every answer of the API."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        verdict = getattr(request, "rate_verdict", None)
        for name, value in headers_of(verdict) if verdict is not None else ():
            response[name] = value
        return response


def headers_of(verdict: Verdict) -> list[tuple[str, str]]:
    return [
        ("RateLimit-Limit", str(verdict.limit)),
        ("RateLimit-Remaining", str(verdict.remaining)),
        ("RateLimit-Reset", str(verdict.resets_in)),
    ]
