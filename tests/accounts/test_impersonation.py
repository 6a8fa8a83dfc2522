"""An operator looks at the platform as somebody else."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import AuditEvent, User


@pytest.fixture
def operator(client, db):
    client.force_login(User.objects.create_superuser("operator@example.com", "an engine of steam"))
    return client


def act_as(client, *people):
    body = {"action": "act_as", "_selected_action": [str(user.pk) for user in people]}
    return client.post("/admin/accounts/user/", body)


def verbs():
    return set(
        AuditEvent.objects.filter(verb__contains="impersonation").values_list("verb", flat=True)
    )


def test_it_works(operator, alice):
    assert act_as(operator, alice)["Location"] == "/"
    page = operator.get("/").content.decode()

    assert "You look at the platform as alice@example.com" in page
    assert operator.get("/api/v1/users/me").json()["email"] == "alice@example.com"
    event = AuditEvent.objects.get(verb="operator.impersonation_started")
    assert (event.actor_label, event.target_id) == ("operator@example.com", str(alice.pk))

    assert operator.post("/accounts/acting/end/").status_code == 302
    assert "You look at" not in operator.get("/").content.decode()
    assert operator.get("/admin/").status_code == 200
    assert AuditEvent.objects.get(verb="operator.impersonation_ended").target_id == str(alice.pk)


def test_nothing_can_be_changed(operator, alice):
    act_as(operator, alice)

    assert operator.post("/api/v1/keys", {"name": "planted"}).status_code == 403
    assert operator.patch("/api/v1/users/me", {"full_name": "x"}).status_code == 403
    assert operator.post("/accounts/password/change/", {}).status_code == 403
    assert alice.api_keys.count() == 0


@pytest.mark.parametrize(
    "path",
    ["/accounts/2fa/", "/accounts/password/change/", "/admin/", "/api/v1/users/me/export",
     "/api/v1/keys"],
)  # fmt: skip
def test_what_is_ones_own_stays_closed(operator, alice, path):
    act_as(operator, alice)

    assert operator.get(path).status_code == 403


def test_it_ends_after_an_hour(operator, alice, monkeypatch):
    act_as(operator, alice)
    session = operator.session
    assert session["acts_as"]["until"] <= (now() + timedelta(hours=1)).timestamp()
    session["acts_as"] = {**session["acts_as"], "until": now().timestamp()}
    session.save()

    assert operator.get("/admin/").status_code == 200
    assert verbs() == {"operator.impersonation_started", "operator.impersonation_ended"}


def test_one_person_at_a_time(operator, alice, bob):
    act_as(operator, alice, bob)

    assert verbs() == set()


def test_other_operators_are_no_target(operator, alice):
    alice.make_operator()

    assert act_as(operator, alice).status_code == 403
    assert verbs() == set()


def test_staff_alone_may_not(client, alice, bob):
    alice.is_staff = True
    alice.save(update_fields=["is_staff"])
    alice.user_permissions.set(
        bob.user_permissions.model.objects.filter(content_type__app_label="accounts")
    )
    client.force_login(alice)
    act_as(client, bob)

    assert verbs() == set()


def test_who_is_no_superuser_any_more_acts_no_longer(operator, alice):
    act_as(operator, alice)
    User.objects.filter(email="operator@example.com").update(is_superuser=False)

    assert "You look at" not in operator.get("/").content.decode()


def test_a_session_that_was_not_begun_by_an_operator_is_nothing(client, alice, bob):
    client.force_login(bob)
    session = client.session
    session["acts_as"] = {"user": str(alice.pk), "until": (now() + timedelta(hours=1)).timestamp()}
    session.save()

    assert client.get("/api/v1/users/me").json()["email"] == "bob@example.com"
