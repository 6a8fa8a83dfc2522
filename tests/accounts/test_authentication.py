import base64
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from django.conf import settings as django_settings
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts import api_keys, generation, snapshot, tokens
from accounts.models import APIKey

URL = "/api/v1/users/me"
ALMOST_A_KEY = "mlp_live_abcdefgh_" + "a" * 43


@pytest.mark.parametrize("header", ["X-API-Key: {}", "Authorization: Bearer {}"])
def test_it_works_with_a_key(anyone, make_key, header):
    _, secret = make_key()
    name, _, value = header.format(secret).partition(": ")

    response = anyone.get(URL, headers={name: value})

    assert response.status_code == 200
    assert response.json()["email"] == "alice@example.com"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_it_works_with_an_access_token(anyone, alice, scheme):
    header = f"{scheme} {tokens.issue(alice).access}"

    assert anyone.get(URL, headers={"Authorization": header}).status_code == 200


def test_it_works_with_a_session(alice, db):
    client = APIClient()
    client.force_login(alice)

    assert client.get(URL).status_code == 200


def test_a_session_needs_a_csrf_token(alice):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice)

    assert client.post("/api/v1/keys", {"name": "x"}).status_code == 403


def test_a_bearer_needs_none(alice):
    client = APIClient(enforce_csrf_checks=True)
    headers = {"Authorization": f"Bearer {tokens.issue(alice).access}"}

    assert client.post("/api/v1/keys", {"name": "x"}, headers=headers).status_code == 201


def test_a_key_takes_one_query(make_key, django_assert_num_queries):
    _, secret = make_key()

    with django_assert_num_queries(1):
        key, ends_at = api_keys.find_key(secret, at=now())

    assert (key.creator_role, ends_at) == ("owner", None)


@pytest.mark.parametrize(
    "credential",
    [
        "",
        " ",
        "x",
        "mlp_",
        "mlp_live_",
        ALMOST_A_KEY,
        ALMOST_A_KEY + "a",
        ALMOST_A_KEY + "\n",
        ALMOST_A_KEY[:-1] + "\0",
        ALMOST_A_KEY[:-1] + "é",
        ALMOST_A_KEY[:-1] + "٣",
        "mlp_live_" + "\0" * 8 + "_" + "a" * 43,
        "mlp_" + "x" * 100_000,
        "x" * 100_000,
        "a.b.c",
        "\0",
        "é.é.é",
        "\udcff",
        "two words",
        "W1tb" * 5000 + ".e30.x",  # [[[[[…
        "eyJhbGciOiJub25lIn0.e30.",
    ],
)
@pytest.mark.parametrize("name", ["X-API-Key", "Authorization"])
def test_a_bad_credential_is_never_anonymous(anyone, name, credential):
    value = f"Bearer {credential}" if name == "Authorization" else credential

    response = anyone.get(URL, headers={name: value})

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert response.json()["code"] in ("key_invalid", "token_invalid")


def test_a_bad_credential_does_not_enter_by_the_session(alice):
    client = APIClient()
    client.force_login(alice)

    assert client.get(URL, headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize("value", ["", "Basic YTpi", "Digest x", "Token x", "\0"])
def test_another_scheme_is_anonymous(anyone, value):
    response = anyone.get(URL, headers={"Authorization": value})

    assert response.status_code == 401
    assert response.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("position", [9, 16, 18, 60])
def test_a_key_with_one_character_changed_is_refused(anyone, make_key, position):
    _, secret = make_key()
    other = "a" if secret[position] != "a" else "b"
    tampered = secret[:position] + other + secret[position + 1 :]

    assert anyone.get(URL, headers={"X-API-Key": tampered}).status_code == 401


def test_an_expired_key_is_refused(anyone, make_key):
    yesterday = now() - timedelta(days=1)
    _, secret = make_key(at=yesterday, expires_at=yesterday + timedelta(hours=1))

    assert anyone.get(URL, headers={"X-API-Key": secret}).status_code == 401


def test_a_revoked_key_is_refused(anyone, make_key):
    key, secret = make_key()
    key.revoke(at=now())

    assert anyone.get(URL, headers={"X-API-Key": secret}).status_code == 401


def test_a_key_ends_with_its_makers_membership(anyone, bob, make_key, organization):
    _, secret = make_key(by=bob)
    assert anyone.get(URL, headers={"X-API-Key": secret}).status_code == 200

    organization.memberships.filter(user=bob).delete()
    generation.bump(organization)

    assert anyone.get(URL, headers={"X-API-Key": secret}).status_code == 401


def test_a_key_ends_with_its_makers_account(anyone, alice, make_key):
    _, secret = make_key()
    alice.is_active = False
    alice.save(update_fields=["is_active"])

    assert anyone.get(URL, headers={"X-API-Key": secret}).status_code == 401


def test_a_key_survives_a_rotated_secret_key(anyone, make_key, settings):
    _, secret = make_key()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-secret-key-of-forty-characters.."

    assert anyone.get(URL, headers={"X-API-Key": secret}).status_code == 200

    settings.SECRET_KEY_FALLBACKS = []
    snapshot.clear()  # settings change with a new process

    assert anyone.get(URL, headers={"X-API-Key": secret}).status_code == 401


def test_the_last_use_is_written_once_a_minute(make_key, django_assert_num_queries):
    key, _ = make_key()
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)

    key.mark_used(at=noon)
    with django_assert_num_queries(0):
        key.mark_used(at=noon + timedelta(seconds=59))
    key.mark_used(at=noon + timedelta(seconds=60))

    assert APIKey.objects.get().last_used_at == noon + timedelta(seconds=60)


def test_a_request_writes_the_last_use(anyone, make_key):
    key, secret = make_key()

    anyone.get(URL, headers={"X-API-Key": secret})

    key.refresh_from_db()
    assert now() - key.last_used_at < timedelta(seconds=30)


def forged(alice, *, key=None, algorithm="HS256", **claims):
    good = jwt.decode(tokens.issue(alice).access, options={"verify_signature": False})
    changed = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return jwt.encode(changed, key or django_settings.JWT_SIGNING_KEY, algorithm=algorithm)


def test_the_forger_works(anyone, alice):
    assert anyone.get(URL, headers={"Authorization": f"Bearer {forged(alice)}"}).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"jti": None},
        {"token_type": "refresh"},
        {"token_type": None},
        {"user_id": None},
        {"user_id": "00000000-0000-7000-8000-000000000000"},
        {"hash_password": "0" * 32},
        {"hash_password": None},
        {"key": "another-key-of-at-least-thirty-two-bytes"},
        {"key": django_settings.SECRET_KEY},
        {"algorithm": "HS512", "key": "x" * 64},
    ],
)
def test_a_forged_token_is_refused(anyone, alice, change):
    response = anyone.get(URL, headers={"Authorization": f"Bearer {forged(alice, **change)}"})

    assert response.status_code == 401


def test_another_algorithm_with_our_key_is_refused(anyone, alice, settings):
    payload = jwt.decode(tokens.issue(alice).access, options={"verify_signature": False})
    unsigned = jwt.encode(payload, None, algorithm="none")

    assert anyone.get(URL, headers={"Authorization": f"Bearer {unsigned}"}).status_code == 401


def test_a_refresh_token_is_no_access_token(anyone, alice):
    raw = tokens.issue(alice).refresh

    assert anyone.get(URL, headers={"Authorization": f"Bearer {raw}"}).status_code == 401


def test_a_new_password_ends_access(client_of, alice):
    client = client_of(alice)
    assert client.get(URL).status_code == 200

    alice.change_password("another-Passphrase-8")

    assert client.get(URL).status_code == 401


def test_an_inactive_user_is_refused(client_of, alice):
    client = client_of(alice)
    alice.is_active = False
    alice.save(update_fields=["is_active"])

    assert client.get(URL).status_code == 401


def test_logging_out_ends_access_of_that_sign_in_only(anyone, alice):
    here, there = tokens.issue(alice), tokens.issue(alice)
    bearers = [{"Authorization": f"Bearer {pair.access}"} for pair in (here, there)]
    assert [anyone.get(URL, headers=bearer).status_code for bearer in bearers] == [200, 200]

    anyone.post("/api/v1/auth/logout", {"refresh": here.refresh})

    assert [anyone.get(URL, headers=bearer).status_code for bearer in bearers] == [401, 200]


def test_a_new_signing_key_signs_nobody_out(anyone, alice, settings):
    old_key = settings.JWT_SIGNING_KEY
    pair = tokens.issue(alice)
    new_key = "another-signing-key-of-forty-characters."
    settings.JWT_SIGNING_KEY = new_key
    settings.JWT_SIGNING_KEY_PREVIOUS = [old_key]
    bearer = {"Authorization": f"Bearer {pair.access}"}

    assert anyone.get(URL, headers=bearer).status_code == 200
    next_pair = anyone.post("/api/v1/auth/refresh", {"refresh": pair.refresh}).json()
    jwt.decode(next_pair["access"], new_key, algorithms=["HS256"])

    settings.JWT_SIGNING_KEY_PREVIOUS = []
    assert anyone.get(URL, headers=bearer).status_code == 401
    bearer = {"Authorization": f"Bearer {next_pair['access']}"}
    assert anyone.get(URL, headers=bearer).status_code == 200


def test_an_old_signing_key_pins_the_algorithm_too(anyone, alice, settings):
    settings.JWT_SIGNING_KEY_PREVIOUS = ["an-older-signing-key-of-forty-characters"]
    payload = jwt.decode(tokens.issue(alice).access, options={"verify_signature": False})

    for token in (
        jwt.encode(payload, None, algorithm="none"),
        jwt.encode(payload, settings.JWT_SIGNING_KEY_PREVIOUS[0] * 2, algorithm="HS512"),
        jwt.encode({**payload, "exp": 1}, settings.JWT_SIGNING_KEY_PREVIOUS[0], algorithm="HS256"),
    ):
        bearer = {"Authorization": f"Bearer {token}"}
        assert anyone.get(URL, headers=bearer).status_code == 401


@pytest.mark.parametrize("family", [None, "", "x", 7, "0" * 32])
def test_a_token_of_no_family_is_refused(anyone, alice, family):
    bearer = {"Authorization": f"Bearer {forged(alice, family=family)}"}

    assert anyone.get(URL, headers=bearer).status_code == 401


def test_a_token_does_not_move_to_another_user(anyone, alice, charlie):
    """What is remembered of a family and its user is asked for by both."""
    token = forged(alice, user_id=str(charlie.pk))

    assert anyone.get(URL, headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize("user", ["", "any", "alice@example.com"])
def test_a_key_may_be_the_password_of_http_basic(anyone, make_key, user):
    _, secret = make_key()
    encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()

    response = anyone.get(URL, headers={"Authorization": f"Basic {encoded}"})

    assert response.status_code == 200


@pytest.mark.parametrize("password", ["mlp_", ALMOST_A_KEY, "mlp_live_\0"])
def test_a_bad_key_in_http_basic_is_never_anonymous(anyone, db, password):
    encoded = base64.b64encode(f"x:{password}".encode()).decode()

    response = anyone.get(URL, headers={"Authorization": f"Basic {encoded}"})

    assert response.status_code == 401
    assert response.json()["code"] == "key_invalid"


@pytest.mark.parametrize("value", ["Basic", "Basic x", "Basic ====", "Basic é", "Basic /////w=="])
def test_nonsense_in_http_basic_is_anonymous(anyone, db, value):
    response = anyone.get(URL, headers={"Authorization": value})

    assert response.status_code == 401
    assert response.json()["code"] == "not_authenticated"


def test_a_request_writes_from_where(anyone, make_key):
    key, secret = make_key()

    anyone.get(URL, headers={"X-API-Key": secret}, REMOTE_ADDR="192.0.2.7")

    key.refresh_from_db()
    assert key.last_used_ip == "192.0.2.7"
