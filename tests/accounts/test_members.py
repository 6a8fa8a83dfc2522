from uuid import uuid4

import pytest

from accounts.models import APIKey, AuditEvent, Invitation, Membership
from accounts.roles import Role
from tests.accounts.people import with_role

ROLES = list(Role.values)


@pytest.fixture
def url(organization):
    return f"/api/v1/organizations/{organization.slug}"


def role_of(user, organization):
    member = organization.memberships.filter(user=user).first()
    return member and member.role


def test_it_works(alice, bob, client_of, url):
    answer = client_of(bob).get(f"{url}/members").json()

    assert [(m["email"], m["role"]) for m in answer["results"]] == [
        ("alice@example.com", "owner"),
        ("bob@example.com", "developer"),
    ]
    assert set(answer["results"][0]) == {"user_id", "email", "full_name", "role", "joined_at"}


@pytest.mark.parametrize("role", ROLES)
def test_every_role_sees_the_people(client_of, organization, url, role):
    assert client_of(with_role(organization, role)).get(f"{url}/members").status_code == 200


def test_a_key_sees_people_only_as_admin(anyone, make_key, url):
    for scopes, status in (["models:read"], 403), (["admin"], 200):
        _, secret = make_key(scopes=scopes)
        headers = {"X-API-Key": secret}
        assert anyone.get(f"{url}/members", headers=headers).status_code == status


# Who (rows) may make whom (before) what (after): an admin reaches up to admins, an owner all.
@pytest.mark.parametrize("after", ROLES)
@pytest.mark.parametrize("before", ROLES)
@pytest.mark.parametrize("actor", ROLES)
def test_who_may_make_whom_what(client_of, organization, url, actor, before, after):
    dora = with_role(organization, actor)
    evan = with_role(organization, before, "evan")

    answer = client_of(dora).patch(f"{url}/members/{evan.pk}", {"role": after})

    allowed = actor == "owner" or (actor == "admin" and "owner" not in (before, after))
    assert answer.status_code == (200 if allowed else 403)
    assert role_of(evan, organization) == (after if allowed else before)
    if actor == "admin" and not allowed:
        assert answer.json()["code"] == "role_out_of_reach"


@pytest.mark.parametrize("target", ROLES)
@pytest.mark.parametrize("actor", ROLES)
def test_who_may_remove_whom(client_of, organization, url, actor, target):
    dora = with_role(organization, actor)
    evan = with_role(organization, target, "evan")

    answer = client_of(dora).delete(f"{url}/members/{evan.pk}")

    allowed = actor == "owner" or (actor == "admin" and target != "owner")
    assert answer.status_code == (204 if allowed else 403)
    assert role_of(evan, organization) == (None if allowed else target)


def test_it_is_written_down(alice, bob, client_of, organization, url):
    client = client_of(alice)
    client.patch(f"{url}/members/{bob.pk}", {"role": "viewer"})
    client.patch(f"{url}/members/{bob.pk}", {"role": "viewer"})
    client.delete(f"{url}/members/{bob.pk}")

    events = AuditEvent.objects.filter(verb__startswith="member.").newest_first()
    assert [str(event) for event in events] == [
        "Alice (alice@example.com) removed Bob (bob@example.com)",
        "Alice (alice@example.com) changed the role of Bob (bob@example.com) "
        "from developer to viewer",
    ]


def test_it_holds_at_the_next_request(alice, bob, client_of, organization, url):
    bobs = client_of(bob)
    assert bobs.get(url).json()["role"] == "developer"

    client_of(alice).patch(f"{url}/members/{bob.pk}", {"role": "viewer"})
    assert bobs.get(url).json()["role"] == "viewer"

    client_of(alice).delete(f"{url}/members/{bob.pk}")
    assert bobs.get(url).status_code == 404


def test_what_rested_on_the_membership_ends(alice, bob, client_of, make_key, organization, url):
    _, secret = make_key(by=bob, scopes=["models:read"])
    key = {"X-API-Key": secret}
    client_of(alice).patch(f"{url}/members/{bob.pk}", {"role": "admin"})
    client_of(bob).post(f"{url}/invitations", {"email": "evan@example.com", "role": "admin"})

    client_of(alice).delete(f"{url}/members/{bob.pk}")
    Membership.objects.create(organization=organization, user=bob, role="developer")

    assert APIKey.objects.get().revoked_at is not None
    assert client_of(bob).get("/api/v1/models", headers=key).status_code == 401
    assert Invitation.objects.get().revoked_at is not None


def test_who_administers_no_more_has_no_invitations_out(alice, bob, client_of, url):
    client_of(alice).patch(f"{url}/members/{bob.pk}", {"role": "admin"})
    client_of(bob).post(f"{url}/invitations", {"email": "evan@example.com", "role": "admin"})

    client_of(alice).patch(f"{url}/members/{bob.pk}", {"role": "developer"})

    assert Invitation.objects.get().revoked_at is not None


def test_the_last_owner_stays(alice, bob, client_of, organization, url):
    client = client_of(alice)
    refused = [
        client.patch(f"{url}/members/{alice.pk}", {"role": "admin"}),
        client.delete(f"{url}/members/{alice.pk}"),
        client.post(f"{url}/leave"),
    ]

    assert [(r.status_code, r.json()["code"]) for r in refused] == [(409, "last_owner")] * 3
    assert role_of(alice, organization) == "owner"
    assert not AuditEvent.objects.filter(verb__startswith="member.").exists()


@pytest.mark.parametrize("role", ["admin", "developer", "viewer"])
def test_everybody_else_may_leave(client_of, organization, url, role):
    dora = with_role(organization, role)

    assert client_of(dora).post(f"{url}/leave").status_code == 204
    assert client_of(dora).post(f"{url}/leave").status_code == 404
    assert role_of(dora, organization) is None
    assert str(AuditEvent.objects.newest_first()[0]) == "Dora (dora@example.com) left"


def test_removing_oneself_is_leaving(client_of, organization, url):
    dora = with_role(organization, "admin")

    assert client_of(dora).delete(f"{url}/members/{dora.pk}").status_code == 204
    assert AuditEvent.objects.filter(verb="member.left").count() == 1


def test_an_organization_is_transferred(alice, bob, client_of, organization, url):
    answer = client_of(alice).post(f"{url}/transfer", {"user_id": str(bob.pk)})

    assert (answer.status_code, answer.json()["role"]) == (200, "owner")
    assert role_of(alice, organization) == "admin"
    assert role_of(bob, organization) == "owner"
    organization.refresh_from_db()
    assert not organization.is_personal
    assert client_of(alice).post(f"{url}/transfer", {"user_id": str(bob.pk)}).status_code == 403


@pytest.mark.parametrize("role", ["admin", "developer", "viewer"])
def test_only_an_owner_transfers(bob, client_of, organization, url, role):
    dora = with_role(organization, role)

    answer = client_of(dora).post(f"{url}/transfer", {"user_id": str(dora.pk)})

    assert answer.status_code == 403
    assert role_of(dora, organization) == role


def test_a_key_neither_leaves_nor_transfers(alice, anyone, bob, make_key, organization, url):
    _, secret = make_key(scopes=["admin"])
    headers = {"X-API-Key": secret}
    body = {"user_id": str(bob.pk)}

    assert anyone.post(f"{url}/leave", headers=headers).status_code == 403
    assert anyone.post(f"{url}/transfer", body, headers=headers).status_code == 403
    owner = {"role": "owner"}
    assert anyone.patch(f"{url}/members/{bob.pk}", owner, headers=headers).status_code == 403
    viewer = {"role": "viewer"}
    assert anyone.patch(f"{url}/members/{bob.pk}", viewer, headers=headers).status_code == 200


def test_nobody_of_this_id(alice, charlie, client_of, url):
    client = client_of(alice)
    for stranger in (charlie.pk, uuid4()):
        answers = [
            client.patch(f"{url}/members/{stranger}", {"role": "viewer"}),
            client.delete(f"{url}/members/{stranger}"),
            client.post(f"{url}/transfer", {"user_id": str(stranger)}),
        ]
        assert {(a.status_code, a.json()["code"]) for a in answers} == {(404, "member_not_found")}


@pytest.mark.parametrize("role", ["boss", "", None, 1, "Owner", ["owner"]])
def test_an_unknown_role(alice, bob, client_of, organization, url, role):
    assert client_of(alice).patch(f"{url}/members/{bob.pk}", {"role": role}).status_code == 400
    assert role_of(bob, organization) == "developer"


def test_an_owner_who_is_switched_off_does_not_count(alice, bob, client_of, organization, url):
    client_of(alice).patch(f"{url}/members/{bob.pk}", {"role": "owner"})
    bob.deactivate()

    answer = client_of(alice).post(f"{url}/leave")

    assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
    assert client_of(alice).delete(f"{url}/members/{bob.pk}").status_code == 204
