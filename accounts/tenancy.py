"""In which organization a request acts, and what it may do there."""

import re
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from rest_framework.request import Request

from accounts.errors import NoOrganization, UnknownOrganization
from accounts.models import APIKey, Membership, Organization
from accounts.roles import Capability, capabilities_of

HEADER = "X-Organization"
_SLUG = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True)
class Standing:
    """Where somebody stands: the organization, and what they may do in it."""

    organization: Organization
    role: str
    capabilities: frozenset[Capability]


def organization_of(request: HttpRequest | Request) -> Organization:
    """The tenant of an authenticated request: the one place that decides it.

    A key's own organization; for people the one that the header X-Organization
    names (slug or id), else their personal one.
    Raises UnknownOrganization (also where it is somebody else's) or NoOrganization.
    """
    return standing_of(request).organization


def standing_of(request: HttpRequest | Request) -> Standing:
    """`organization_of` and the role there; asked of the database once a request."""
    standing = getattr(request, "_standing", None)
    if standing is None:
        key = getattr(request, "auth", None)
        standing = _of_key(request, key) if isinstance(key, APIKey) else _of_person(request)
        request._standing = standing
    return standing


def _of_key(request: HttpRequest | Request, key: APIKey) -> Standing:
    asked = request.headers.get(HEADER)
    if asked is not None and asked not in (key.organization.slug, str(key.organization_id)):
        raise _unknown(asked)
    capabilities = capabilities_of(key.creator_role, key.scopes)
    return Standing(key.organization, key.creator_role, capabilities)


def _of_person(request: HttpRequest | Request) -> Standing:
    asked = request.headers.get(HEADER)
    mine = Membership.objects.of(request.user)
    if asked is not None:
        mine = mine.filter(_named(asked))
    membership = mine.home_first().first()
    if membership is None and asked is not None:
        raise _unknown(asked)
    if membership is None:
        raise NoOrganization("Your account belongs to no organization. Ask to be invited to one.")
    return Standing(membership.organization, membership.role, capabilities_of(membership.role))


def _named(asked: str) -> Q:
    try:
        return Q(organization=UUID(asked))
    except ValueError:
        if _SLUG.fullmatch(asked):
            return Q(organization__slug=asked)
        raise _unknown(asked) from None


def _unknown(asked: str) -> UnknownOrganization:
    return UnknownOrganization(f"You are in no organization called {asked[:63]!a}.")
