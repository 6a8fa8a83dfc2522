"""What somebody could do ends with what allowed it."""

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts import api_keys, invitations, members, operators, tokens
from accounts.models import AuditEvent, Membership, Organization, User
from accounts.roles import Role, capabilities_of
from accounts.tenancy import Standing
from tests.conftest import PASSWORD


def standing(organization, role):
    return Standing(organization, role, capabilities_of(role))


def by_bearer(secret):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def invite(organization, *, by, email, role, as_role=Role.OWNER):
    return invitations.invite(
        standing=standing(organization, as_role), by=by, email=email, role=role, at=now()
    )


def accepts(client, invitation):
    token = invitations.token_of(invitation)
    return client.post("/api/v1/invitations/accept", {"token": token}).status_code


def test_an_owners_invitation_ends_when_ownership_is_handed_over(
    organization, alice, bob, charlie, client_of
):
    invitation = invite(organization, by=alice, email=charlie.email, role=Role.OWNER)
    members.transfer(standing=standing(organization, Role.OWNER), by=alice, user_id=bob.pk)

    assert accepts(client_of(charlie), invitation) >= 400
    assert not Membership.objects.filter(user=charlie, organization=organization).exists()


def test_an_owners_invitation_ends_with_a_lesser_role(organization, alice, bob, charlie, client_of):
    bob.memberships.update(role=Role.OWNER)
    invitation = invite(organization, by=bob, email=charlie.email, role=Role.OWNER)
    members.change_role(
        standing=standing(organization, Role.OWNER),
        by=alice,
        user_id=bob.pk,
        role=Role.ADMIN,
        at=now(),
    )

    assert accepts(client_of(charlie), invitation) >= 400


def test_an_invitation_within_ones_role_is_still_good(organization, alice, charlie, client_of):
    invitation = invite(organization, by=alice, email=charlie.email, role=Role.DEVELOPER)

    assert accepts(client_of(charlie), invitation) == 200


def test_nobody_is_given_the_secret_of_somebody_elses_key(organization, alice, bob, client_of):
    bob.memberships.update(role=Role.ADMIN)
    key, _ = api_keys.create_key(organization=organization, by=alice, name="hers", at=now())

    assert client_of(bob).post(f"/api/v1/keys/{key.pk}/roll", {}).status_code == 404
    assert client_of(bob).delete(f"/api/v1/keys/{key.pk}").status_code == 204


def test_a_key_does_not_remove_the_owner_who_made_it(organization, alice, bob):
    bob.memberships.update(role=Role.OWNER)
    _, secret = api_keys.create_key(
        organization=organization, by=alice, name="k", scopes=["admin"], at=now()
    )
    url = f"/api/v1/organizations/{organization.slug}/members/{alice.pk}"

    assert by_bearer(secret).delete(url).status_code == 403
    assert Membership.objects.filter(user=alice, organization=organization).exists()


def test_what_was_ended_by_deactivating_does_not_come_back(alice, bob):
    pair = tokens.issue(bob)
    browser = Client()
    browser.post(reverse("account_login"), {"login": bob.email, "password": PASSWORD})
    assert browser.get("/api/v1/users/me").status_code == 200

    operators.deactivate(bob, by=alice)
    bob.refresh_from_db()
    operators.reactivate(bob, by=alice)

    assert by_bearer(pair.access).get("/api/v1/users/me").status_code == 401
    refreshed = APIClient().post("/api/v1/auth/refresh", {"refresh": pair.refresh})
    assert refreshed.status_code == 401
    assert browser.get("/api/v1/users/me").status_code == 401


@pytest.mark.parametrize("page", ["membership", "user"])
def test_a_member_whom_an_operator_moves_leaves_at_once(organization, alice, bob, client_of, page):
    operator = User.objects.create_superuser("operator@example.com", PASSWORD)
    elsewhere = Organization.objects.create(name="Elsewhere", slug="elsewhere")
    membership = bob.memberships.get()
    browser, program = Client(), client_of(bob)
    browser.force_login(operator)
    here = {"X-Organization": organization.slug}
    assert program.get("/api/v1/models", headers=here).status_code == 200

    row = {"user": str(bob.pk), "organization": str(elsewhere.pk), "role": "developer"}
    if page == "membership":
        browser.post(f"/admin/accounts/membership/{membership.pk}/change/", row)
    else:
        inline = {f"memberships-0-{name}": value for name, value in row.items()}
        count = {"memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "1"}
        person = {"email": bob.email, "full_name": "Bob", "memberships-0-id": str(membership.pk)}
        browser.post(f"/admin/accounts/user/{bob.pk}/change/", {**person, **count, **inline})

    membership.refresh_from_db()
    assert membership.organization == elsewhere
    assert program.get("/api/v1/models", headers=here).status_code == 404


def test_withdrawing_does_not_lift_the_limit_of_invitations(organization, alice, client_of):
    client, url = client_of(alice), f"/api/v1/organizations/{organization.slug}/invitations"
    answers = []
    for number in range(invitations.MOST_A_DAY + 1):
        made = client.post(url, {"email": f"v{number}@example.com", "role": "viewer"})
        answers.append(made.status_code)
        if made.status_code == 201:
            client.delete(f"{url}/{made.json()['id']}")

    assert answers.count(201) == invitations.MOST_A_DAY
    assert answers[-1] >= 400


def test_nobody_can_take_the_address_of_a_deleted_account(bob, client_of):
    taken = {"email": f"deleted-{bob.pk.hex}@users.invalid", "password": PASSWORD}
    APIClient().post("/api/v1/auth/register", taken)

    gone = client_of(bob).delete("/api/v1/users/me", {"password": PASSWORD})

    assert gone.status_code < 300


def test_a_wrong_second_factor_is_audited(alice):
    TOTP.activate(alice, generate_totp_secret())
    before = AuditEvent.objects.count()
    wrong = {"email": alice.email, "password": PASSWORD, "code": "000000"}

    assert APIClient().post("/api/v1/auth/login", wrong).status_code == 401
    assert AuditEvent.objects.count() == before + 1


def test_choosing_an_organization_goes_nowhere_strange(organization, alice, client):
    client.force_login(alice)
    url = reverse("switch-organization")

    for after in ("foo", "//evil.example", "/models/iris"):
        response = client.post(url, {"organization": organization.slug, "next": after})
        assert response.status_code == 302
        assert "evil" not in response["Location"]
