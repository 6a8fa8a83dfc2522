from datetime import timedelta

from django.utils.timezone import now

URL = "/api/v1/keys"


def test_it_works(client_of, alice, make_key):
    first, _ = make_key(name="first")
    second, _ = make_key(name="second", scopes=["predict"], expires_at=now() + timedelta(days=1))

    response = client_of(alice).get(URL)

    assert response.status_code == 200
    newest, oldest = response.json()["results"]
    assert newest == {
        "id": str(second.id),
        "name": "second",
        "prefix": f"mlp_live_{second.prefix}",
        "scopes": ["predict"],
        "created_by": "alice@example.com",
        "created_at": second.created_at.isoformat().replace("+00:00", "Z"),
        "mode": "live",
        "models": None,
        "rate_limit": None,
        "monthly_predictions": None,
        "previous_until": None,
        "last_used_ip": None,
        "last_used_at": None,
        "expires_at": second.expires_at.isoformat().replace("+00:00", "Z"),
        "revoked_at": None,
    }
    assert oldest["id"] == str(first.id)


def test_it_shows_no_secret(client_of, alice, make_key):
    key, secret = make_key()

    body = client_of(alice).get(URL).content.decode()

    assert secret[-43:] not in body
    assert key.digest not in body


def test_revoked_keys_stay(client_of, alice, make_key):
    key, _ = make_key()
    key.revoke(at=now())

    (listed,) = client_of(alice).get(URL).json()["results"]

    assert listed["revoked_at"] == key.revoked_at.isoformat().replace("+00:00", "Z")


def test_owners_see_everybodys(client_of, alice, bob, make_key):
    make_key(by=bob)

    (listed,) = client_of(alice).get(URL).json()["results"]

    assert listed["created_by"] == "bob@example.com"


def test_developers_see_their_own(client_of, bob, make_key):
    make_key(name="alice's")
    make_key(name="bob's", by=bob)

    answer = client_of(bob).get(URL).json()

    assert [key["name"] for key in answer["results"]] == ["bob's"]


def test_strangers_see_nothing(client_of, charlie, make_key):
    make_key()

    assert client_of(charlie).get(URL).json()["results"] == []


def test_it_costs_the_same_for_many_keys(client_of, alice, make_key, django_assert_num_queries):
    for _ in range(5):
        make_key()

    client = client_of(alice)
    with django_assert_num_queries(4):  # user, membership, count, keys
        client.get(URL)
