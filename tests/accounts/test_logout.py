from accounts import tokens

URL = "/api/v1/auth/logout"


def test_it_works(anyone, alice):
    pair = tokens.issue(alice)

    response = anyone.post(URL, {"refresh": pair.refresh})

    assert response.status_code == 204
    assert response.content == b""
    assert anyone.post("/api/v1/auth/refresh", {"refresh": pair.refresh}).status_code == 401


def test_twice_is_as_good(anyone, alice):
    pair = tokens.issue(alice)
    anyone.post(URL, {"refresh": pair.refresh})

    assert anyone.post(URL, {"refresh": pair.refresh}).status_code == 204


def test_it_leaves_other_sessions_alone(anyone, alice):
    here, there = tokens.issue(alice), tokens.issue(alice)

    anyone.post(URL, {"refresh": here.refresh})

    assert anyone.post("/api/v1/auth/refresh", {"refresh": there.refresh}).status_code == 200


def test_it_refuses_what_is_no_token(anyone):
    response = anyone.post(URL, {"refresh": "x"})

    assert response.status_code == 401
    assert response.json()["code"] == "token_invalid"
