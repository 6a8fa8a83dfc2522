"""An organization with everything in it, and everybody who might ask for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from allauth.usersessions.models import UserSession
from django.db import transaction
from django.test import Client
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts import invitations, tokens
from accounts.api_keys import create_key
from accounts.models import Membership, Organization, User
from accounts.roles import Role
from accounts.sign_up import register
from inference import drainer, prediction_log
from mlplatform.foundation import redis
from tests.access_table import ROLES, SCOPES
from tests.conftest import PASSWORD
from tests.factories import make_ready_version
from tests.inference.entries import make_entry

EXAMPLES = {
    "<uidb64>": "MQ",
    "<token>": "nothing",
    "<alias:alias>": "challenger",
    "<int:pk>": 1,
    r"^confirm-email/(?P<key>[-:\w]+)/$": "confirm-email/nothing/",
    "^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": "password/reset/key/1-nothing/",
}


@dataclass(frozen=True)
class World:
    """Everybody's credentials, and the ids of the rows that they ask for."""

    organization: Organization
    people: dict[str, User]
    keys: dict[str, str]
    ids: dict[str, object]

    def path_of(self, route: str) -> str:
        """A route with our rows' ids in it."""
        for placeholder, value in {**EXAMPLES, **self.ids}.items():
            route = route.replace(placeholder, str(value))
        assert not set("<(^") & set(route), f"give the placeholder of {route} an example"
        return f"/{route}"

    def caller(self, name: str) -> APIClient:
        """A program: with an access token or a key."""
        client = APIClient()
        if name in self.keys:
            client.credentials(HTTP_X_API_KEY=self.keys[name])
        elif name in self.people:
            token = tokens.issue(self.people[name]).access
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        elif name == "intruder":
            token = tokens.issue(self.people["other"]).access
            named = {"HTTP_X_ORGANIZATION": self.organization.slug}
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}", **named)
        return client

    def visitor(self, name: str) -> Client:
        """A browser, which is signed in by a session."""
        if name in self.keys:
            return Client(headers={"X-API-Key": self.keys[name]})
        client = Client()
        if name in self.people:
            client.force_login(self.people[name])
        return client


@contextmanager
def undone() -> Iterator[None]:
    """Nothing of it is left: neither rows nor what Redis counts."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    redis.client().flushdb()


def _person(name: str) -> User:
    return register(email=f"{name}@example.com", password=PASSWORD, full_name=name, at=now())


def _people() -> dict[str, User]:
    people = {name: _person(name) for name in (*ROLES, "homeless", "other")}
    for name in ("admin", "developer", "viewer", "homeless"):
        people[name].memberships.all().delete()
    return people


def _join(people: dict[str, User]) -> Organization:
    organization = people["owner"].organizations.get()
    for name in ("admin", "developer", "viewer"):
        Membership.objects.create(
            user=people[name], organization=organization, role=Role(name), created_at=now()
        )
    return organization


def _keys(people: dict[str, User], organization: Organization) -> dict[str, str]:
    """A key for every scope alone, and one with all of them whose maker is a viewer."""
    wanted = {f"key {scope}": ("owner", [scope]) for scope in SCOPES}
    wanted["viewer's key"] = ("viewer", list(SCOPES))
    return {
        name: create_key(
            organization=organization, by=people[maker], name=name, at=now(), scopes=scopes
        )[1]
        for name, (maker, scopes) in wanted.items()
    }


def _rows(owner: User, organization: Organization, spool: Path) -> dict[str, object]:
    version = make_ready_version(organization, owner)
    version.model.aliases.create(name="challenger", version=version, updated_at=now())
    entry = make_entry(organization_id=organization.pk, model_id=version.model_id)
    prediction_log.append(entry)
    drainer.drain(spool)
    key, _ = create_key(organization=organization, by=owner, name="hers", at=now())
    session = UserSession.objects.create(user=owner, ip="127.0.0.1", session_key="hers")
    invitation = organization.invitations.create(
        email="guest@example.com",
        role=Role.VIEWER,
        invited_by=owner,
        created_at=now(),
        expires_at=now() + invitations.VALID_FOR,
    )
    return {
        "<str:organization>": organization.slug,
        "<uuid:user_id>": organization.memberships.get(role=Role.VIEWER).user_id,
        "<uuid:invitation_id>": invitation.pk,
        "<str:token>": invitations.token_of(invitation),
        "<uuid:key_id>": key.pk,
        "<int:session_id>": session.pk,
        "<model:model>": version.model_id,
        "<model:name>": version.model.name,
        "<number:number>": 1,
        "<uuid:prediction_id>": entry.id,
    }


def make_world(spool: Path) -> World:
    """In the transaction of the caller. Needs a runner."""
    people = _people()
    organization = _join(people)
    keys = _keys(people, organization)
    return World(organization, people, keys, _rows(people["owner"], organization, spool))
