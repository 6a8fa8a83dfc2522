from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils.timezone import now

from accounts.models import APIKey, AuditEvent

ME = "/api/v1/users/me"


def url_of(key):
    return f"/api/v1/keys/{key.id}"


def test_it_works(client_of, alice, make_key):
    key, _ = make_key()
    model = str(uuid4())
    changes = {
        "name": "nightly",
        "scopes": ["predict"],
        "models": [model],
        "rate_limit": 7,
        "monthly_predictions": 1000,
    }

    response = client_of(alice).patch(url_of(key), changes)

    assert response.status_code == 200
    assert {name: response.json()[name] for name in changes} == changes
    key.refresh_from_db()
    assert (key.name, key.scopes, key.only_models) == ("nightly", ["predict"], [model])
    assert (key.rate_limit, key.monthly_predictions) == (7, 1000)
    assert AuditEvent.objects.filter(verb="key.changed").count() == 1


def test_it_holds_at_the_next_request(client_of, anyone, alice, make_key):
    key, secret = make_key()
    header = {"X-API-Key": secret}
    assert anyone.get("/api/v1/models", headers=header).status_code == 200

    client_of(alice).patch(url_of(key), {"scopes": ["predict"]})

    assert anyone.get("/api/v1/models", headers=header).status_code == 403


def test_what_is_not_named_stays(client_of, alice, make_key):
    key, _ = make_key(models=[uuid4()], rate_limit=5)

    answer = client_of(alice).patch(url_of(key), {"name": "x"}).json()

    assert (answer["rate_limit"], len(answer["models"])) == (5, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("scopes", []),
        ("scopes", ["root"]),
        ("models", []),
        ("models", ["x"]),
        ("rate_limit", 0),
        ("rate_limit", -1),
        ("monthly_predictions", -1),
        ("key", "mlp_live_x"),
        ("organization", "x"),
        ("expires_at", None),
        ("revoked_at", None),
        ("digest", "0" * 64),
    ],
)
def test_it_refuses_nonsense(client_of, alice, make_key, field, value):
    key, _ = make_key()
    before = APIKey.objects.values().get()

    response = client_of(alice).patch(url_of(key), {field: value})

    assert response.status_code == 400
    assert APIKey.objects.values().get() == before


def test_admin_keys_are_not_restricted(client_of, alice, make_key):
    key, _ = make_key(models=[uuid4()])

    response = client_of(alice).patch(url_of(key), {"scopes": ["admin"]})

    assert response.status_code == 400
    assert response.json()["code"] == "unrestrictable_key"
    key.refresh_from_db()
    assert "admin" not in key.scopes


def test_developers_set_no_limits(client_of, bob, make_key):
    key, _ = make_key(by=bob, rate_limit=5)

    assert client_of(bob).patch(url_of(key), {"name": "mine"}).status_code == 200
    assert client_of(bob).patch(url_of(key), {"rate_limit": None}).status_code == 403
    body = {"name": "new", "rate_limit": 1000}
    assert client_of(bob).post("/api/v1/keys", body).status_code == 403
    key.refresh_from_db()
    assert key.rate_limit == 5


def test_it_hides_other_tenants_keys(client_of, charlie, make_key):
    key, _ = make_key()

    assert client_of(charlie).patch(url_of(key), {"name": "x"}).status_code == 404
    assert client_of(charlie).post(f"{url_of(key)}/roll").status_code == 404


def test_rolling_gives_a_new_secret_and_keeps_the_old_one_a_while(
    client_of, anyone, alice, make_key
):
    key, old = make_key()
    assert anyone.get(ME, headers={"X-API-Key": old}).status_code == 200

    response = client_of(alice).post(f"{url_of(key)}/roll", {"overlap_hours": 2})

    new = response.json()["key"]
    assert response.status_code == 200
    assert new != old
    assert new.startswith(response.json()["prefix"])
    assert anyone.get(ME, headers={"X-API-Key": new}).status_code == 200
    assert anyone.get(ME, headers={"X-API-Key": old}).status_code == 200
    key.refresh_from_db()
    assert timedelta(hours=1.9) < key.previous_until - now() <= timedelta(hours=2)
    key.change(previous_until=now())
    assert anyone.get(ME, headers={"X-API-Key": old}).status_code == 401
    assert anyone.get(ME, headers={"X-API-Key": new}).status_code == 200


def test_the_overlap_ends_in_a_warm_process(client_of, anyone, alice, make_key):
    key, old = make_key()
    client_of(alice).post(f"{url_of(key)}/roll", {"overlap_hours": 0})

    assert anyone.get(ME, headers={"X-API-Key": old}).status_code == 401


def test_a_second_roll_ends_the_first_secret(client_of, anyone, alice, make_key):
    key, first = make_key()
    for _ in range(2):
        client_of(alice).post(f"{url_of(key)}/roll")

    assert anyone.get(ME, headers={"X-API-Key": first}).status_code == 401


def test_a_revoked_key_is_not_rolled(client_of, alice, make_key):
    key, _ = make_key()
    key.revoke(at=now())

    response = client_of(alice).post(f"{url_of(key)}/roll")

    assert response.status_code == 409
    assert response.json()["code"] == "key_ended"


@pytest.mark.parametrize("hours", [-1, 721, "x", None, 1.5])
def test_it_refuses_senseless_overlaps(client_of, alice, make_key, hours):
    key, _ = make_key()

    response = client_of(alice).post(f"{url_of(key)}/roll", {"overlap_hours": hours})

    assert response.status_code == 400


def test_a_key_tells_what_it_is_for(client_of, anyone, alice):
    body = {"name": "ci", "mode": "test", "expires_in_days": 30}
    made = client_of(alice).post("/api/v1/keys", body).json()

    assert made["key"].startswith("mlp_test_")
    assert made["prefix"] == made["key"][:17]
    assert anyone.get(ME, headers={"X-API-Key": made["key"]}).status_code == 200
    live = made["key"].replace("mlp_test_", "mlp_live_")
    assert anyone.get(ME, headers={"X-API-Key": live}).status_code == 401


@pytest.mark.parametrize("days", [7, 30, 90])
def test_it_expires_in_days(client_of, alice, days):
    made = client_of(alice).post("/api/v1/keys", {"name": "x", "expires_in_days": days}).json()

    key = alice.api_keys.get()
    assert made["expires_at"] is not None
    assert abs(key.expires_at - now() - timedelta(days=days)) < timedelta(minutes=1)


def test_it_expires_one_way_only(client_of, alice):
    body = {"name": "x", "expires_in_days": 7, "expires_at": "2099-01-01T00:00:00Z"}

    assert client_of(alice).post("/api/v1/keys", body).status_code == 400
