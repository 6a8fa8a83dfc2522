import time

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from accounts import generation, limits
from accounts.limits import LocalWindows
from mlplatform.foundation import redis
from tests.accounts.test_access import redis_away

ME = "/api/v1/users/me"
LOGIN = "/api/v1/auth/login"


@pytest.fixture(autouse=True)
def early_in_a_minute():
    """A test that counts must not see a window end."""
    left = 60 - time.time() % 60
    if left < 4:
        time.sleep(left)


def statuses(client, count, headers=None):
    return [client.get(ME, headers=headers).status_code for _ in range(count)]


@override_settings(RATE_LIMIT_PER_MINUTE=3)
def test_it_works(anyone, make_key):
    _, secret = make_key()
    answers = [anyone.get(ME, headers={"X-API-Key": secret}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer["RateLimit-Limit"] for answer in answers] == ["3"] * 4
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert 0 < int(refused["RateLimit-Reset"]) <= 60
    assert abs(int(refused["Retry-After"]) - int(refused["RateLimit-Reset"])) <= 1


@override_settings(RATE_LIMIT_PER_MINUTE=2)
def test_everybody_is_counted_alone(anyone, client_of, alice, bob, make_key):
    _, first = make_key()
    _, second = make_key()

    assert statuses(anyone, 3, {"X-API-Key": first}) == [200, 200, 429]
    assert statuses(anyone, 3, {"X-API-Key": second}) == [200, 200, 429]
    assert statuses(client_of(alice), 3) == [200, 200, 429]
    assert statuses(client_of(bob), 3) == [200, 200, 429]


@override_settings(RATE_LIMIT_PER_MINUTE=2)
def test_all_tokens_and_sessions_of_a_person_share_one(client_of, alice):
    browser = APIClient()
    browser.force_login(alice)

    assert statuses(client_of(alice), 1) == [200]
    assert statuses(client_of(alice), 1) == [200]
    assert statuses(browser, 1) == [429]


def test_a_refusal_by_permission_counts_too(anyone, make_key, settings):
    settings.RATE_LIMIT_PER_MINUTE = 1
    _, secret = make_key(scopes=["predict"])

    answers = [anyone.get("/api/v1/models", headers={"X-API-Key": secret}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [403, 429]
    assert answers[0]["RateLimit-Remaining"] == "0"


def test_an_organization_and_a_key_have_limits_of_their_own(anyone, organization, make_key):
    organization.rate_limit = 4
    organization.save(update_fields=["rate_limit"])
    generation.bump(organization)
    _, usual = make_key()
    _, lower = make_key(rate_limit=1)
    _, higher = make_key(rate_limit=1000)

    def limit(secret):
        return anyone.get(ME, headers={"X-API-Key": secret})["RateLimit-Limit"]

    assert (limit(usual), limit(lower), limit(higher)) == ("4", "1", "4")


def test_a_changed_limit_holds_at_the_next_request(anyone, make_key):
    key, secret = make_key(rate_limit=1)
    assert statuses(anyone, 2, {"X-API-Key": secret}) == [200, 429]

    key.change(rate_limit=10)

    assert statuses(anyone, 1, {"X-API-Key": secret}) == [200]


@override_settings(ANONYMOUS_LIMIT_PER_MINUTE=2)
@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": "mlp_live_x"}, {"Authorization": "Bearer x"}]
)
def test_strangers_are_counted_by_address(anyone, db, headers):
    assert statuses(anyone, 3, headers) == [401, 401, 429]
    other = anyone.get(ME, headers=headers, REMOTE_ADDR="192.0.2.9")
    assert other.status_code == 401
    assert other["RateLimit-Remaining"] == "1"


@override_settings(SIGN_IN_LIMIT_PER_MINUTE=2)
@pytest.mark.parametrize("door", ["register", "login", "refresh", "logout"])
def test_doors_are_counted_by_address(anyone, db, door):
    answers = [anyone.post(f"/api/v1/auth/{door}", {}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]


@override_settings(SIGN_IN_LIMIT_PER_MINUTE=2)
def test_a_made_up_forwarded_address_changes_nothing(anyone, db):
    answers = [
        anyone.post(LOGIN, {}, headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
        for number in range(3)
    ]

    assert answers == [400, 400, 429]


@override_settings(SIGN_IN_LIMIT_PER_MINUTE=1, TRUSTED_PROXIES=1)
def test_behind_a_proxy_only_its_own_entry_counts(anyone, db):
    def post(forwarded):
        return anyone.post(LOGIN, {}, headers={"X-Forwarded-For": forwarded}).status_code

    assert post("10.0.0.1, 192.0.2.1") == 400
    assert post("10.0.0.2, 192.0.2.1") == 429  # the left one is the client's own tale
    assert post("10.0.0.1, 192.0.2.2") == 400


@override_settings(SIGN_IN_LIMIT_PER_MINUTE=1)
def test_an_ipv6_network_is_one_client(anyone, db):
    def post(address):
        return anyone.post(LOGIN, {}, REMOTE_ADDR=address).status_code

    assert [post("2001:db8::1"), post("2001:db8::2"), post("2001:db8:0:1::1")] == [400, 429, 400]


def test_without_redis_the_doors_where_secrets_are_guessed_are_closed(anyone, db, settings):
    with redis_away(settings):
        codes = {
            door: anyone.post(f"/api/v1/auth/{door}", {}).status_code
            for door in ("register", "login", "refresh", "logout")
        }

    assert codes == {"register": 503, "login": 503, "refresh": 400, "logout": 400}


def test_pages_are_not_counted(client, db):
    assert "RateLimit-Limit" not in client.get("/")


def test_a_window_begins_anew(settings):
    settings.WEB_WORKERS = 1
    seconds = [0]
    windows = LocalWindows(clock=lambda: seconds[0])

    assert [windows.count("x", limit=2).remaining for _ in range(3)] == [1, 0, 0]
    seconds[0] = 60
    assert windows.count("x", limit=2).remaining == 1


def test_windows_of_a_process_are_bounded(settings):
    settings.WEB_WORKERS = 1
    windows = LocalWindows(clock=lambda: 0)
    windows.MOST = 1

    names = ["first", "second", "third", "first"]
    assert [windows.count(name, limit=9).used for name in names] == [1, 1, 2, 2]


def test_counters_do_not_stay(anyone, make_key):
    _, secret = make_key()
    anyone.get(ME, headers={"X-API-Key": secret})

    names = redis.client().keys("rate:*")
    assert len(names) == 1
    assert all(0 < redis.client().ttl(name) <= 90 for name in names)
    assert limits.SECONDS == 60
