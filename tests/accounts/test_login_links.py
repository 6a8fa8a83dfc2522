import threading
from datetime import timedelta
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils.http import urlsafe_base64_encode
from django.utils.timezone import now

from accounts import login_links


def path_for(user):
    return urlsplit(login_links.make_link(user)).path


def test_it_works(client, alice):
    response = client.get(path_for(alice))

    assert response.status_code == 302
    assert response["Location"] == "/"
    assert client.session["_auth_user_id"] == str(alice.id)


def test_it_begins_with_the_address_of_the_site(alice, settings):
    settings.SITE_URL = "https://models.example.com"

    assert login_links.make_link(alice).startswith("https://models.example.com/accounts/link/")


def test_it_works_once(alice):
    path = path_for(alice)
    Client().get(path)
    second = Client()

    response = second.get(path)

    assert response.status_code == 400
    assert "This link was used before" in response.content.decode()
    assert "_auth_user_id" not in second.session


def test_it_works_for_a_day(client, alice, monkeypatch):
    path = path_for(alice)
    monkeypatch.setattr(login_links, "VALID_FOR", timedelta(0))

    assert client.get(path).status_code == 400


@pytest.mark.parametrize("method", ["head", "post", "options"])
def test_only_a_get_uses_it_up(client, alice, method):
    path = path_for(alice)

    assert getattr(client, method)(path).status_code == 405
    assert client.get(path).status_code == 302


def test_a_new_password_ends_it(client, alice):
    path = path_for(alice)
    alice.change_password("another-Passphrase-8")

    assert client.get(path).status_code == 400


def test_an_inactive_user_is_refused(client, alice):
    path = path_for(alice)
    alice.is_active = False
    alice.save(update_fields=["is_active"])

    assert client.get(path).status_code == 400


def test_it_is_of_one_user_only(client, alice, charlie):
    token = path_for(alice).split("/")[4]
    uid = urlsafe_base64_encode(str(charlie.pk).encode())

    assert client.get(f"/accounts/link/{uid}/{token}/").status_code == 400


@pytest.mark.parametrize("uid", ["x", "%00", "w6k", "é", "MTIz", "x" * 5000, "_____w"])
@pytest.mark.parametrize("token", ["x", "%00", "é:é:é", "a:b:c", "x" * 5000])
def test_nonsense_is_400(client, db, uid, token):
    assert client.get(f"/accounts/link/{uid}/{token}/").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_gets_in(alice):
    path = path_for(alice)
    statuses = []

    def follow():
        statuses.append(Client().get(path).status_code)
        connection.close()

    threads = [threading.Thread(target=follow) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [302] + [400] * 5


def test_the_command_prints_it(client, alice):
    out = StringIO()

    call_command("loginlink", "Alice@example.com", stdout=out)

    assert client.get(urlsplit(out.getvalue().strip()).path).status_code == 302


def test_the_command_knows_no_strangers(db):
    with pytest.raises(CommandError, match="Nobody signed up as nobody"):
        call_command("loginlink", "nobody@example.com")


def test_signing_in_otherwise_ends_it(client, alice):
    path = path_for(alice)
    alice.last_login = now()
    alice.save(update_fields=["last_login"])

    assert client.get(path).status_code == 400
