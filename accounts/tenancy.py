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
# Where a browser's session keeps what its user chose in the page's head: an organization's id.
CHOICE = "organization"
_SLUG = re.compile(r"[a-z0-9-]{1,63}")


@dataclass(frozen=True)
class Standing:
    """Where somebody stands: the organization, and what they may do in it."""

    organization: Organization
    role: str
    capabilities: frozenset[Capability]


def organization_of(request: HttpRequest | Request) -> Organization:
    """The tenant of an authenticated request: the one place that decides it.

    The one that the URL names (`stand_in`), else the header X-Organization
    (slug or id); a key's own; for people in a browser the one they chose, else
    their personal one.
    Raises UnknownOrganization (also where it is somebody else's) or NoOrganization.
    """
    return standing_of(request).organization


def standing_of(request: HttpRequest | Request) -> Standing:
    """`organization_of` and the role there; asked of the database once a request."""
    standing = getattr(request, "_standing", None)
    if standing is None:
        key = getattr(request, "auth", None)
        is_key = isinstance(key, APIKey)
        standing = _of_key(key, asked_by(request)) if is_key else _of_person(request)
        request._standing = standing
    return standing


def asked_by(request: HttpRequest | Request) -> str | None:
    """Which organization the request names; None: whichever is the sender's home."""
    return request.headers.get(HEADER)


def stand_in(request: HttpRequest | Request, reference: str) -> None:
    """The URL names the organization: from here on the request acts there.

    Raises UnknownOrganization, also where the caller is no member.
    """
    key = getattr(request, "auth", None)
    if isinstance(key, APIKey):
        request._standing = _of_key(key, reference)
    else:
        request._standing = _of_member(find_membership(request.user.pk, reference), reference)


def choose(request: HttpRequest, reference: str) -> Organization:
    """Remember for this browser in which organization its pages act. Raises UnknownOrganization."""
    stand_in(request, reference)
    organization = organization_of(request)
    request.session[CHOICE] = str(organization.pk)
    return organization


def _chosen_by(request: HttpRequest | Request) -> str | None:
    """The session's choice; it says nothing about a request that carries a token."""
    if getattr(request, "auth", None) is not None or not hasattr(request, "session"):
        return None
    return request.session.get(CHOICE)


def _of_key(key: APIKey, asked: str | None) -> Standing:
    if asked is not None and asked not in (key.organization.slug, str(key.organization_id)):
        raise UnknownOrganization(f"You are in no organization called {asked[:63]!a}.")
    return standing_of_key(key)


def standing_of_key(key: APIKey) -> Standing:
    """`key` as `api_keys.find_key` gives it: with its organization and its maker's role."""
    capabilities = capabilities_of(key.creator_role, key.scopes)
    return Standing(key.organization.as_seen_by(key), key.creator_role, capabilities)


def _of_person(request: HttpRequest | Request) -> Standing:
    asked = asked_by(request)
    membership = find_membership(request.user.pk, asked, chosen=_chosen_by(request))
    return _of_member(membership, asked)


def _of_member(membership: Membership | None, asked: str | None) -> Standing:
    if membership is None and asked is not None:
        raise UnknownOrganization(f"You are in no organization called {asked[:63]!a}.")
    if membership is None:
        raise NoOrganization("Your account belongs to no organization. Ask to be invited to one.")
    return Standing(membership.organization, membership.role, capabilities_of(membership.role))


def find_membership(
    user_id: UUID, asked: str | None, *, chosen: str | None = None
) -> Membership | None:
    """In the organization that `asked` names by slug or id; None: in the `chosen` or their home.

    With its user and its organization, from one query.
    """
    named = None if asked is None else _named(asked)
    if asked is not None and named is None:
        return None
    mine = Membership.objects.filter(user=user_id).select_related("user", "organization")
    return (mine.filter(named) if named else mine).home_first(chosen).first()


def _named(asked: str) -> Q | None:
    try:
        return Q(organization=UUID(asked))
    except ValueError:
        return Q(organization__slug=asked) if _SLUG.fullmatch(asked) else None
