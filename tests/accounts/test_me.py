URL = "/api/v1/users/me"


def test_it_works(client_of, alice, organization):
    response = client_of(alice).get(URL)

    assert response.status_code == 200
    assert response.json() == {
        "id": str(alice.id),
        "email": "alice@example.com",
        "full_name": alice.full_name,
        "time_zone": "UTC",
        "theme": "system",
        "created_at": alice.created_at.isoformat().replace("+00:00", "Z"),
        "organization": {
            "id": str(organization.id),
            "name": organization.name,
            "slug": organization.slug,
        },
        "role": "owner",
    }


def test_it_tells_the_organization_that_was_asked_for(client_of, bob, bobs_own, organization):
    answer = client_of(bob).get(URL, headers={"X-Organization": organization.slug}).json()

    assert answer["email"] == "bob@example.com"
    assert answer["organization"]["slug"] == organization.slug
    assert answer["role"] == "developer"


def test_it_works_with_a_key_of_any_scope(anyone, make_key):
    _, secret = make_key(scopes=["predict"])

    assert anyone.get(URL, headers={"X-API-Key": secret}).json()["email"] == "alice@example.com"


def test_it_asks_who_you_are(anyone):
    response = anyone.get(URL)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert response.json()["code"] == "not_authenticated"
