import pytest
from django.test import Client

from registry.models import Alias
from tests.factories import make_version
from tests.pages.conftest import make_champion, make_ready
from tests.pages.test_home import text_of

URL = "/models/churn/promote"


@pytest.fixture
def versions(alice, organization):
    return make_champion(organization, alice), make_ready(organization, alice)


def champion() -> int:
    return Alias.objects.get(name="champion").version.number


def test_it_works(bob, browser_of, versions):
    response = browser_of(bob).post(URL, {"version": 2}, follow=True)

    assert response.redirect_chain == [("/models/churn", 302)]
    assert "Version 2 of churn answers from now on." in text_of(response)
    assert "version 2 answers" in text_of(response)
    assert champion() == 2


def test_going_back_is_the_same_call(alice, browser_of, versions):
    browser_of(alice).post(URL, {"version": 2})
    browser_of(alice).post(URL, {"version": 1})

    assert champion() == 1


def test_a_viewer_may_not(viewer, browser_of, versions):
    response = browser_of(viewer).post(URL, {"version": 2})

    assert response.status_code == 403
    assert "Promoting or changing a version needs the role developer." in text_of(response)
    assert champion() == 1


def test_a_stranger_finds_nothing(charlie, browser_of, versions):
    assert browser_of(charlie).post(URL, {"version": 2}).status_code == 404
    assert champion() == 1


def test_nobody_is_asked_to_sign_in(client, versions):
    assert client.post(URL, {"version": 2})["Location"].startswith("/accounts/login/")
    assert champion() == 1


def test_a_version_that_is_not_ready_is_refused(alice, organization, browser_of, versions):
    make_version(organization, alice, name="churn", content=b"bytes")

    response = browser_of(alice).post(URL, {"version": 3})

    assert response.status_code == 409
    assert "Version 3 is pending" in text_of(response)
    assert champion() == 1


@pytest.mark.parametrize(
    ("version", "status"), [("9", 404), ("0", 400), ("nonsense", 400), ("", 400)]
)
def test_an_unknown_version_is_refused(alice, browser_of, versions, version, status):
    assert browser_of(alice).post(URL, {"version": version}).status_code == status
    assert champion() == 1


def test_it_needs_the_forms_token(alice, versions):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    response = client.post(URL, {"version": 2})

    assert response.status_code == 403
    assert "This form was open for too long" in text_of(response)
    assert champion() == 1


def test_it_takes_a_post(alice, browser_of, versions):
    assert browser_of(alice).get(URL).status_code == 405
