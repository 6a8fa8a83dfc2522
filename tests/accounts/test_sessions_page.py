import pytest
from allauth.usersessions.models import UserSession
from django.test import Client

from accounts import login_links, tokens
from accounts.models import AuditEvent
from tests.conftest import PASSWORD

URL = "/accounts/sessions/"


def sign_in(user, browser="Firefox", **extra):
    client = Client(headers={"User-Agent": browser}, **extra)
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    return client


def is_in(client) -> bool:
    return client.get("/accounts/profile/").status_code == 200


def test_it_lists_ones_own(alice, charlie):
    here = sign_in(alice, REMOTE_ADDR="192.0.2.1")
    sign_in(alice, "Safari <b>", REMOTE_ADDR="192.0.2.2")
    sign_in(charlie, "Opera")

    page = here.get(URL).content.decode()

    assert page.count("this one") == 1
    assert "192.0.2.2" in page
    assert "Safari &lt;b&gt;" in page
    assert "Opera" not in page


def test_one_is_signed_out(alice):
    here, there = sign_in(alice), sign_in(alice, "Safari")
    session = UserSession.objects.get(user_agent="Safari")

    assert here.post(f"{URL}{session.pk}/end/")["Location"] == URL

    assert is_in(here)
    assert not is_in(there)
    assert "Safari" not in here.get(URL).content.decode()


def test_anothers_session_is_out_of_reach(alice, charlie):
    hers, his = sign_in(alice), sign_in(charlie)
    session = UserSession.objects.get(user=charlie)

    assert hers.post(f"{URL}{session.pk}/end/").status_code == 404
    assert is_in(his)


def test_everywhere_else_is_signed_out(alice, charlie, anyone):
    here, there, his = sign_in(alice), sign_in(alice, "Safari"), sign_in(charlie)
    pair = tokens.issue(alice)

    assert here.post(URL)["Location"] == URL

    assert is_in(here)
    assert not is_in(there)
    assert is_in(his)
    bearer = {"Authorization": f"Bearer {pair.access}"}
    assert anyone.get("/api/v1/users/me", headers=bearer).status_code == 401
    assert anyone.post("/api/v1/auth/refresh", {"refresh": pair.refresh}).status_code == 401
    assert AuditEvent.objects.filter(verb="account.signed_out_everywhere").count() == 1


def test_a_session_by_link_is_listed(alice, client):
    client.get(login_links.make_link(alice).removeprefix("http://localhost:8000"))

    assert "this one" in client.get(URL).content.decode()


@pytest.mark.parametrize("path", [URL, f"{URL}1/end/"])
def test_nobody_is_asked_to_sign_in(client, db, path):
    assert client.post(path)["Location"].startswith("/accounts/login/")
