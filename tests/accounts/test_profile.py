import pytest
from django.test import Client
from django.utils.timezone import get_current_timezone_name

from accounts.models import AuditEvent
from tests.factories import make_version

PAGE = "/accounts/profile/"
ME = "/api/v1/users/me"
CHANGES = {"full_name": "Alice Ames", "time_zone": "Asia/Kathmandu", "theme": "dark"}


@pytest.fixture
def hers(client, alice):
    client.force_login(alice)
    return client


def profile_of(user):
    user.refresh_from_db()
    return {name: getattr(user, name) for name in CHANGES}


def test_the_page_works(hers, alice):
    assert hers.post(PAGE, CHANGES)["Location"] == PAGE

    assert profile_of(alice) == CHANGES
    page = hers.get(PAGE).content.decode()
    assert 'data-theme="dark" data-bs-theme="dark"' in page
    assert '<option value="Asia/Kathmandu" selected>' in page
    assert AuditEvent.objects.filter(verb="account.profile_changed").count() == 1


def test_the_api_works(client_of, alice):
    response = client_of(alice).patch(ME, CHANGES)

    assert response.status_code == 200
    assert response.json() | CHANGES == response.json()
    assert profile_of(alice) == CHANGES


def test_a_change_is_seen_at_the_next_request(client_of, alice):
    client = client_of(alice)
    client.get(ME)

    client.patch(ME, {"theme": "light"})

    assert client.get(ME).json()["theme"] == "light"


BAD = [
    {"time_zone": "Middle/Earth"},
    {"time_zone": "../../etc/passwd"},
    {"time_zone": "localtime"},
    {"theme": "pink"},
    {"full_name": "a\u202eb"},
    {"full_name": "x" * 151},
]


@pytest.mark.parametrize("bad", BAD)
def test_the_page_refuses(hers, alice, bad):
    before = profile_of(alice)

    assert hers.post(PAGE, CHANGES | bad).status_code == 200
    assert profile_of(alice) == before


@pytest.mark.parametrize(
    "bad", [*BAD, {"time_zone": 5}, {"email": "x@example.com"}, {"is_staff": True}, {"id": "x"}]
)
def test_the_api_refuses(client_of, alice, bad):
    before = profile_of(alice)

    assert client_of(alice).patch(ME, bad).status_code == 400
    assert profile_of(alice) == before
    assert not alice.is_staff


def test_a_key_may_not(anyone, make_key, alice):
    _, secret = make_key(scopes=["admin"])

    answer = anyone.patch(ME, {"theme": "dark"}, headers={"X-API-Key": secret})

    assert answer.status_code == 403
    assert profile_of(alice)["theme"] == "system"


def test_pages_show_times_in_ones_zone_and_the_api_in_utc(hers, alice, organization, client_of):
    make_version(organization, alice, content=b"bytes")
    hers.post(PAGE, CHANGES)

    assert "+05:45" in hers.get("/").content.decode()
    assert get_current_timezone_name() == "UTC"
    created_at = client_of(alice).get("/api/v1/models").json()["results"][0]["created_at"]
    assert created_at.endswith("Z")


def test_strangers_get_no_theme(db):
    assert "data-theme" not in Client().get("/").content.decode().partition(">")[0]


def test_nobody_is_asked_to_sign_in(client, db):
    assert client.get(PAGE)["Location"].startswith("/accounts/login/")
