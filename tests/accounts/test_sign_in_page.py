import pytest

from tests.conftest import PASSWORD

URL = "/accounts/login/"


def test_it_works(client, alice, password):
    response = client.post(URL, {"login": "Alice@example.com", "password": password})

    assert response.status_code == 302
    assert response["Location"] == "/"
    assert client.session["_auth_user_id"] == str(alice.id)


def test_it_shows_a_form(client, db):
    response = client.get(URL)

    assert response.status_code == 200
    page = response.content.decode()
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert "csrfmiddlewaretoken" in page


def test_it_returns_to_where_one_came_from(client, alice, password):
    body = {"login": "alice@example.com", "password": password, "next": "/docs"}

    assert client.post(URL, body)["Location"] == "/docs"


def test_it_does_not_send_people_elsewhere(client, alice, password):
    body = {"login": "alice@example.com", "password": password, "next": "https://evil.example/"}

    assert client.post(URL, body)["Location"] == "/"


@pytest.mark.parametrize(
    ("email", "typed"),
    [
        ("alice@example.com", "wrong"),
        ("nobody@example.com", PASSWORD),
        ("alice@example.com", "x" * 100_000),
        ("alice\0@example.com", PASSWORD),
        ("x" * 100_000, PASSWORD),
        ("", ""),
    ],
)
def test_it_refuses(client, alice, password, email, typed):
    response = client.post(URL, {"login": email, "password": typed})

    assert response.status_code == 200
    assert "_auth_user_id" not in client.session


def test_it_refuses_an_inactive_user_like_a_wrong_password(client, alice, password):
    wrong = client.post(URL, {"login": "alice@example.com", "password": "wrong"})
    alice.is_active = False
    alice.save(update_fields=["is_active"])

    response = client.post(URL, {"login": "alice@example.com", "password": password})

    assert response.context["form"].errors == wrong.context["form"].errors
    assert "_auth_user_id" not in client.session


def test_signing_out_takes_a_post(client, alice):
    client.force_login(alice)

    assert client.get("/accounts/logout/").status_code == 200
    assert "_auth_user_id" in client.session
    response = client.post("/accounts/logout/")
    assert response["Location"] == URL
    assert "_auth_user_id" not in client.session
