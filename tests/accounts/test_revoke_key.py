from uuid import uuid4

from django.utils.timezone import now


def url_of(key):
    return f"/api/v1/keys/{key.id}"


def test_it_works(client_of, anyone, alice, make_key):
    key, secret = make_key()

    response = client_of(alice).delete(url_of(key))

    assert response.status_code == 204
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert anyone.get("/api/v1/users/me", headers={"X-API-Key": secret}).status_code == 401


def test_twice_keeps_the_first_time(client_of, alice, make_key):
    key, _ = make_key()
    at = now()
    key.revoke(at=at)

    assert client_of(alice).delete(url_of(key)).status_code == 204
    key.refresh_from_db()
    assert key.revoked_at == at


def test_owners_revoke_everybodys(client_of, alice, bob, make_key):
    key, _ = make_key(by=bob)

    assert client_of(alice).delete(url_of(key)).status_code == 204


def test_developers_do_not_revoke_others(client_of, bob, make_key):
    key, _ = make_key()

    assert client_of(bob).delete(url_of(key)).status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None


def test_it_hides_other_tenants_keys(client_of, charlie, make_key):
    key, _ = make_key()

    theirs = client_of(charlie).delete(url_of(key))
    nobodys = client_of(charlie).delete(f"/api/v1/keys/{uuid4()}")

    assert theirs.status_code == nobodys.status_code == 404
    assert {**theirs.json(), "request_id": ""} == {**nobodys.json(), "request_id": ""}
    key.refresh_from_db()
    assert key.revoked_at is None


def test_a_key_needs_the_scope_admin(anyone, make_key):
    key, secret = make_key()

    assert anyone.delete(url_of(key), headers={"X-API-Key": secret}).status_code == 403


def test_it_asks_who_you_are(anyone, make_key):
    key, _ = make_key()

    assert anyone.delete(url_of(key)).status_code == 401
