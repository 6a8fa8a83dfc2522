from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress

from accounts.models import AuditEvent, User
from tests.accounts.test_sign_up_page import link_in
from tests.conftest import PASSWORD

URL = "/accounts/email/"
NEW = {"email": "New@example.com", "action_add": ""}


@pytest.fixture
def hers(client, alice):
    """Signed in, and asked again a moment ago."""
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def test_it_works_when_the_new_address_is_confirmed(hers, alice, mailoutbox):
    hers.post(URL, NEW)

    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    assert mailoutbox[-1].to == ["new@example.com"]
    assert "You asked for" in hers.get(URL).content.decode()

    hers.post(urlsplit(link_in(mailoutbox[-1])).path)

    alice.refresh_from_db()
    assert alice.email == "new@example.com"
    assert list(EmailAddress.objects.values_list("email", "verified", "primary")) == [
        ("new@example.com", True, True)
    ]
    assert AuditEvent.objects.filter(verb="account.email_changed").count() == 1
    assert hers.login(username="new@example.com", password=PASSWORD)


def test_a_second_wish_replaces_the_first(hers, alice, mailoutbox):
    hers.post(URL, NEW)
    hers.post(URL, {"email": "newer@example.com", "action_add": ""})

    assert set(EmailAddress.objects.values_list("email", flat=True)) == {
        "alice@example.com",
        "newer@example.com",
    }
    assert "does not work" in hers.get(urlsplit(link_in(mailoutbox[0])).path).content.decode()


def test_the_wish_can_be_dropped(hers, alice):
    hers.post(URL, NEW)
    hers.post(URL, {"email": "new@example.com", "action_remove": ""})

    assert EmailAddress.objects.get().email == "alice@example.com"


def test_an_address_somebody_took_meanwhile_is_refused(hers, alice, mailoutbox):
    hers.post(URL, NEW)
    User.objects.create_user("new@example.com", PASSWORD)

    response = hers.post(urlsplit(link_in(mailoutbox[-1])).path, follow=True)

    assert response.status_code == 200
    assert "meanwhile" in response.content.decode()
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"


def test_it_does_not_tell_whose_an_address_is(hers, charlie):
    taken = hers.post(URL, {"email": charlie.email, "action_add": ""}, follow=True)
    free = hers.post(URL, {"email": "free@example.com", "action_add": ""}, follow=True)

    assert taken.redirect_chain == free.redirect_chain
    assert taken.content.decode().replace(charlie.email, "free@example.com").count(
        "free@example.com"
    ) == free.content.decode().count("free@example.com")


@pytest.mark.parametrize("email", ["", "nonsense", "alice@example.com", "x\0@example.com"])
def test_it_refuses(hers, email):
    assert hers.post(URL, {"email": email, "action_add": ""}).status_code == 200
    assert EmailAddress.objects.count() == 1


def test_it_asks_again_who_one_is(client, alice):
    client.force_login(alice)

    assert client.post(URL, NEW)["Location"].startswith("/accounts/reauthenticate/")
    assert EmailAddress.objects.count() == 1


def test_nobody_is_asked_to_sign_in(client, db):
    assert client.get(URL)["Location"].startswith("/accounts/login/")
