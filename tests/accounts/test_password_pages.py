from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts import tokens
from accounts.models import AuditEvent
from tests.accounts.test_sign_up_page import link_in
from tests.conftest import PASSWORD

NEW = "another-Passphrase-8"
RESET = "/accounts/password/reset/"
CHANGE = "/accounts/password/change/"


def sign_in(user, password=PASSWORD):
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": password})
    return client


def follow(client, mail, **fields):
    form = client.get(urlsplit(link_in(mail)).path, follow=True)
    return client.post(form.redirect_chain[-1][0], fields)


def test_a_forgotten_password_is_replaced_by_mail(client, alice, mailoutbox, settings):
    settings.SITE_URL = "https://models.example.com"
    elsewhere = sign_in(alice)

    asked = client.post(RESET, {"email": "ALICE@example.com"})
    done = follow(client, mailoutbox[0], password1=NEW, password2=NEW)

    assert asked["Location"] == "/accounts/password/reset/done/"
    assert link_in(mailoutbox[0]).startswith("https://models.example.com/accounts/password/reset/")
    assert done["Location"] == "/accounts/password/reset/key/done/"
    assert "_auth_user_id" in sign_in(alice, NEW).session
    assert elsewhere.get("/accounts/profile/").status_code == 302
    assert AuditEvent.objects.filter(verb="account.password_reset").count() == 1


def test_the_link_works_once(client, alice, mailoutbox):
    client.post(RESET, {"email": alice.email})
    follow(client, mailoutbox[0], password1=NEW, password2=NEW)

    again = Client().get(urlsplit(link_in(mailoutbox[0])).path, follow=True)

    assert "This link does not work" in again.content.decode()


def test_an_unknown_address_is_answered_alike(client, alice, mailoutbox):
    known = client.post(RESET, {"email": alice.email}, follow=True)
    unknown = Client().post(RESET, {"email": "nobody@example.com"}, follow=True)

    assert known.redirect_chain == unknown.redirect_chain
    assert known.content == unknown.content
    assert [mail.to[0] for mail in mailoutbox] == [alice.email, "nobody@example.com"]
    assert "no account has this address" in mailoutbox[1].body


def test_guesses_are_forgiven_to_who_followed_the_mail(client, alice, mailoutbox):
    for _ in range(6):
        client.post("/accounts/login/", {"login": alice.email, "password": "guess"})
    assert "_auth_user_id" not in sign_in(alice).session

    client.post(RESET, {"email": alice.email})
    follow(client, mailoutbox[0], password1=NEW, password2=NEW)

    assert "_auth_user_id" in sign_in(alice, NEW).session


@pytest.mark.parametrize(("first", "second"), [("short", "short"), (NEW, "other"), ("", "")])
def test_a_bad_new_password_is_refused(client, alice, mailoutbox, first, second):
    client.post(RESET, {"email": alice.email})

    assert follow(client, mailoutbox[0], password1=first, password2=second).status_code == 200
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_a_change_signs_out_everywhere_else(alice, anyone, mailoutbox):
    here, elsewhere = sign_in(alice), sign_in(alice)
    access = tokens.issue(alice).access

    body = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert here.post(CHANGE, body)["Location"] == CHANGE

    assert here.get("/accounts/profile/").status_code == 200
    assert elsewhere.get("/accounts/profile/").status_code == 302
    bearer = {"Authorization": f"Bearer {access}"}
    assert anyone.get("/api/v1/users/me", headers=bearer).status_code == 401
    assert mailoutbox[-1].subject == "[mlplatform] Password Changed"
    assert "Was this not you?" in mailoutbox[-1].body
    assert AuditEvent.objects.filter(verb="account.password_changed").count() == 1


def test_a_change_needs_the_old_password(alice):
    body = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}

    assert sign_in(alice).post(CHANGE, body).status_code == 200
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_too_many_mails_are_refused(client, alice, mailoutbox):
    statuses = [client.post(RESET, {"email": alice.email}).status_code for _ in range(6)]

    assert statuses == [302] * 5 + [429]
    assert len(mailoutbox) == 5
