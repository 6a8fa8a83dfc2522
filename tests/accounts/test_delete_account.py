import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils.timezone import now

from accounts.models import AuditEvent, Invitation, Membership, Organization, User
from accounts.roles import Role
from accounts.sign_up import register
from registry.models import RegisteredModel
from tests.conftest import PASSWORD
from tests.factories import make_version

ME = "/api/v1/users/me"


def test_it_works(client_of, alice, organization, make_key, anyone):
    make_version(organization, alice, content=b"bytes")
    _, secret = make_key()
    client = client_of(alice)
    browser = Client()
    browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})

    assert client.delete(ME, {"password": PASSWORD}).status_code == 204

    assert client.get(ME).status_code == 401
    assert anyone.get(ME, headers={"X-API-Key": secret}).status_code == 401
    assert browser.get("/accounts/profile/").status_code == 302
    assert RegisteredModel.objects.live().count() == 0
    assert not UserSession.objects.exists()
    assert not EmailAddress.objects.exists()
    assert not Membership.objects.exists()


def test_who_it_was_is_forgotten_but_not_the_id(client_of, alice, organization):
    client_of(alice).delete(ME, {"password": PASSWORD})

    gone = User.objects.get(pk=alice.pk)
    assert re.fullmatch(r"deleted-[0-9a-f]{32}@users\.invalid", gone.email)
    assert alice.pk.hex not in gone.email  # others know the id, and could take the address before
    assert (gone.full_name, gone.is_active) == ("", False)
    assert not gone.has_usable_password()
    organization.refresh_from_db()
    assert re.fullmatch(r"deleted-[0-9a-f]{32}", organization.slug)
    assert organization.name == "Deleted"
    assert AuditEvent.objects.get(verb="account.deleted").actor_id == alice.pk


def test_the_address_and_the_name_are_free_again(client_of, alice, organization):
    client_of(alice).delete(ME, {"password": PASSWORD})

    again = register(email=alice.email, password=PASSWORD, at=now())

    assert again.organizations.get().slug == "alice"


def test_what_was_made_for_others_stays(client_of, alice, bob, organization):
    make_version(organization, bob, content=b"bytes")

    assert client_of(bob).delete(ME, {"password": PASSWORD}).status_code == 204

    assert RegisteredModel.objects.live().count() == 1
    assert organization.memberships.get().user == alice


def test_the_others_see_that_somebody_left(client_of, alice, bob, organization):
    client_of(bob).delete(ME, {"password": PASSWORD})

    event = AuditEvent.objects.for_organization(organization).newest_first()[0]
    assert event.verb == "member.left"


def test_invitations_end(client_of, alice, bob, charlie, organization):
    mine = charlie.organizations.get()
    at = now()
    until = at + timedelta(days=7)
    for home, to in ((mine, "dora@example.com"), (organization, charlie.email)):
        Invitation.objects.create(
            organization=home,
            email=to,
            role=Role.VIEWER,
            invited_by=alice,
            created_at=at,
            expires_at=until,
        )

    client_of(charlie).delete(ME, {"password": PASSWORD})

    assert not Invitation.objects.pending(at=at).exists()
    assert not Invitation.objects.filter(email=charlie.email).exists()


def test_others_are_not_left_without_an_owner(client_of, alice, bob, organization):
    answer = client_of(alice).delete(ME, {"password": PASSWORD})

    assert (answer.status_code, answer.json()["code"]) == (409, "sole_owner")
    assert answer.json()["organizations"] == [organization.slug]
    alice.refresh_from_db()
    assert alice.is_active
    assert organization.memberships.count() == 2


def test_another_owner_is_enough(client_of, alice, bob, organization):
    bob.memberships.update(role=Role.OWNER)

    assert client_of(alice).delete(ME, {"password": PASSWORD}).status_code == 204
    assert Organization.objects.get(pk=organization.pk).slug == "alice"


def test_an_owner_who_may_not_sign_in_is_none(client_of, alice, bob, organization):
    bob.memberships.update(role=Role.OWNER)
    bob.deactivate()

    assert client_of(alice).delete(ME, {"password": PASSWORD}).status_code == 409


@pytest.mark.parametrize("body", [{}, {"password": "wrong"}, {"password": 5}])
def test_the_password_is_needed(client_of, alice, body):
    assert client_of(alice).delete(ME, body).status_code == 400
    alice.refresh_from_db()
    assert alice.is_active


def test_a_key_may_not(anyone, make_key, alice):
    _, secret = make_key(scopes=["admin"])

    answer = anyone.delete(ME, {"password": PASSWORD}, headers={"X-API-Key": secret})

    assert answer.status_code == 403


def test_the_page_works(client, alice):
    client.force_login(alice)

    refused = client.post("/accounts/data/delete/", {"password": "wrong"})
    assert "This is not your password" in refused.content.decode()
    done = client.post("/accounts/data/delete/", {"password": PASSWORD}, follow=True)

    assert done.redirect_chain == [("/", 302)]
    assert "Your account is deleted" in done.content.decode()
    assert not User.objects.get().is_active


def test_the_page_says_what_is_in_the_way(client, alice, bob, organization):
    client.force_login(alice)

    page = client.get("/accounts/data/").content.decode()

    assert "You are the only owner of" in page
    assert "Delete my account" not in page
    assert client.post("/accounts/data/delete/", {"password": PASSWORD}).status_code == 409
