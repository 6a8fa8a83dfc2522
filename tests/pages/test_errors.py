"""Errors for people: the right status, what to do, and the request's id."""

import pytest
from django.db import OperationalError
from django.test import Client

from registry import views
from tests.pages.test_home import text_of

ID = "my-own-request-id"


def ask(client, path, **options):
    return client.get(path, headers={"X-Request-Id": ID}, **options)


def test_an_unknown_address(client, db):
    response = ask(client, "/no<thing>")

    assert response.status_code == 404
    assert "There is nothing at /no&lt;thing&gt;." in text_of(response)
    assert f"<code>{ID}</code>" in text_of(response)


def test_a_problem_of_ours(alice, browser_of):
    response = ask(browser_of(alice), "/models/none")

    assert response.status_code == 404
    assert "No such model" in text_of(response)
    assert f"<code>{ID}</code>" in text_of(response)


def test_a_person_without_organization(alice, browser_of):
    alice.memberships.all().delete()

    response = ask(browser_of(alice), "/")

    assert 400 <= response.status_code < 500
    assert "belongs to no organization" in text_of(response)


def test_a_store_that_does_not_answer(alice, browser_of, monkeypatch):
    def broken(request):
        raise OperationalError("could not connect\nwith details")

    monkeypatch.setattr(views, "organization_of", broken)

    response = ask(browser_of(alice), "/")

    assert response.status_code == 503
    assert response["Retry-After"] == "2"
    assert "Try again in some seconds" in text_of(response)
    assert "could not connect" not in text_of(response)


def test_a_bug(alice, monkeypatch):
    def broken(request):
        raise RuntimeError("the reason is for the log")

    monkeypatch.setattr(views, "organization_of", broken)
    client = Client(raise_request_exception=False)
    client.force_login(alice)

    response = ask(client, "/")

    assert response.status_code == 500
    assert "the reason is for the log" not in text_of(response)
    assert f"<code>{ID}</code>" in text_of(response)


@pytest.mark.parametrize("path", ["/", "/api/v1/models"])
def test_a_host_that_is_not_ours(db, path):
    response = ask(Client(raise_request_exception=False), path, SERVER_NAME="evil.example")

    assert response.status_code == 400
    assert ID in text_of(response)
    assert "evil.example" not in text_of(response)
