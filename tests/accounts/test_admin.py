import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.utils.timezone import now

from accounts.models import AuditEvent, User


@pytest.fixture
def operator(client, alice):
    alice.make_operator()
    client.force_login(alice)
    return client


PAGES = [
    "accounts/user",
    "accounts/organization",
    "accounts/membership",
    "accounts/apikey",
    "accounts/auditevent",
    "auth/group",
    "accounts/tokenfamily",
]


@pytest.mark.parametrize("page", PAGES)
def test_it_works(operator, make_key, page):
    make_key()

    assert operator.get(f"/admin/{page}/").status_code == 200
    assert operator.get(f"/admin/{page}/?q=alice").status_code == 200


def test_it_opens_each_row(operator, alice, organization, make_key):
    key, _ = make_key()
    membership = organization.memberships.get(user=alice)
    rows = {"user": alice, "organization": organization, "membership": membership, "apikey": key}

    for name, row in rows.items():
        page = operator.get(f"/admin/accounts/{name}/{row.pk}/change/")
        assert page.status_code == 200, name
        assert key.digest not in page.content.decode()


def test_it_revokes_keys(operator, make_key):
    key, _ = make_key()

    body = {"action": "revoke", "_selected_action": [str(key.pk)]}
    response = operator.post("/admin/accounts/apikey/", body)

    assert response.status_code == 302
    key.refresh_from_db()
    assert key.revoked_at <= now()


def test_a_new_user_gets_an_organization(operator):
    body = {
        "email": "Dora@Example.com",
        "full_name": "Dora",
        "usable_password": "true",
        "password1": "a-fine-Passphrase-7",
        "password2": "a-fine-Passphrase-7",
    }
    response = operator.post("/admin/accounts/user/add/", body)

    assert response.status_code == 302
    dora = User.objects.get(email="dora@example.com")
    assert dora.organizations.get().slug == "dora"
    assert dora.check_password("a-fine-Passphrase-7")


def test_it_refuses_a_taken_address(operator, charlie):
    body = {
        "email": "CHARLIE@example.com",
        "usable_password": "true",
        "password1": "a-fine-Passphrase-7",
        "password2": "a-fine-Passphrase-7",
    }

    assert operator.post("/admin/accounts/user/add/", body).status_code == 200


def test_people_do_not_get_in(client, alice):
    client.force_login(alice)

    assert client.get("/admin/accounts/user/").status_code == 302


def test_changes_are_in_the_audit_log(operator, organization):
    body = {
        "name": "Renamed",
        "slug": organization.slug,
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    response = operator.post(f"/admin/accounts/organization/{organization.pk}/change/", body)

    assert response.status_code == 302
    event = AuditEvent.objects.for_organization(organization).get(verb="operator.changed")
    assert str(event) == "Alice (alice@example.com) changed alice in the administration"
    assert event.ip == "127.0.0.1"


def test_removing_is_in_the_audit_log(operator, bob):
    response = operator.post(f"/admin/accounts/user/{bob.pk}/delete/", {"post": "yes"})

    assert response.status_code == 302
    assert AuditEvent.objects.get(verb="operator.removed").target_label == "Bob (bob@example.com)"


def test_the_audit_log_can_only_be_read(operator):
    event = AuditEvent.objects.newest_first()[0]
    page = f"/admin/accounts/auditevent/{event.pk}"

    assert operator.get(f"{page}/change/").status_code == 200
    assert operator.post(f"{page}/change/", {"verb": "key.created"}).status_code == 403
    assert operator.post(f"{page}/delete/", {"post": "yes"}).status_code == 403


def act(operator, action, *rows, table="user"):
    body = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return operator.post(f"/admin/accounts/{table}/", body)


def test_it_deactivates_and_reactivates_people(operator, alice, bob, client_of):
    program = client_of(bob)

    act(operator, "deactivate", bob, alice)

    bob.refresh_from_db()
    alice.refresh_from_db()
    assert (bob.is_active, alice.is_active) == (False, True)  # nobody locks themselves out
    assert program.get("/api/v1/users/me").status_code == 401
    assert AuditEvent.objects.get(verb="account.deactivated").target_id == str(bob.pk)

    act(operator, "reactivate", bob)

    bob.refresh_from_db()
    assert bob.is_active
    # Whoever was locked out stays out: only signing in again helps.
    assert program.get("/api/v1/users/me").status_code == 401
    assert client_of(bob).get("/api/v1/users/me").status_code == 200


def test_it_demands_a_new_password(operator, bob, client_of, password, mailoutbox):
    program = client_of(bob)

    act(operator, "demand_new_password", bob)

    bob.refresh_from_db()
    assert not bob.check_password(password)
    assert program.get("/api/v1/users/me").status_code == 401
    assert mailoutbox[-1].to == ["bob@example.com"]
    assert "/accounts/password/reset/key/" in mailoutbox[-1].body
    assert AuditEvent.objects.get(verb="account.password_voided").target_id == str(bob.pk)


def test_a_password_set_here_holds_at_once(operator, bob, client_of):
    program = client_of(bob)

    page = f"/admin/accounts/user/{bob.pk}/password/"
    new = "a-fine-Passphrase-7"
    body = {"usable_password": "true", "password1": new, "password2": new}
    assert operator.post(page, body).status_code == 302

    bob.refresh_from_db()
    assert bob.check_password("a-fine-Passphrase-7")
    assert program.get("/api/v1/users/me").status_code == 401


def test_a_change_here_is_a_new_generation(operator, organization):
    before = organization.generation
    membership = organization.memberships.get()
    page = f"/admin/accounts/membership/{membership.pk}/change/"
    body = {"user": membership.user_id, "organization": organization.pk, "role": "viewer"}

    assert operator.post(page, body).status_code == 302

    organization.refresh_from_db()
    assert organization.generation > before


def test_secrets_of_second_factors_and_sessions_are_not_shown(operator, alice):
    factor = Authenticator.objects.create(user=alice, type="totp", data={"secret": "SE-CRET"})
    session = UserSession.objects.create(user=alice, ip="127.0.0.1", session_key="SE-CRET")

    for page in (f"mfa/authenticator/{factor.pk}", f"usersessions/usersession/{session.pk}"):
        shown = operator.get(f"/admin/{page}/change/")
        assert shown.status_code == 200
        assert "SE-CRET" not in shown.content.decode()
