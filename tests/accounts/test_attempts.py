import re
import threading
from contextlib import contextmanager

import pytest
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.db import connection
from rest_framework.test import APIClient

from accounts import attempts
from mlplatform.foundation import redis
from tests.accounts.test_access import redis_away

URL = "/api/v1/auth/login"


def log_in(email, password, **extra):
    return APIClient().post(URL, {"email": email, "password": password}, **extra)


def fail(times, email="alice@example.com", **extra):
    return [log_in(email, "wrong", **extra) for _ in range(times)]


@contextmanager
def counted_hashes(monkeypatch):
    hashed = []
    encode = BCryptSHA256PasswordHasher.encode
    monkeypatch.setattr(
        BCryptSHA256PasswordHasher,
        "encode",
        lambda self, *args: hashed.append(1) or encode(self, *args),
    )
    yield hashed


def end_locks():
    """As if their time had passed."""
    for name in redis.client().keys("attempts:*"):
        redis.client().hdel(name, "until")


def test_it_works(alice):
    answers = fail(6)

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    refused = answers[-1]
    assert refused.json()["code"] == "too_many_attempts"
    assert 0 < int(refused["Retry-After"]) <= attempts.FIRST_PAUSE


def test_the_right_password_waits_too(alice, password):
    fail(5)

    assert log_in("alice@example.com", password).status_code == 429
    end_locks()
    assert log_in("alice@example.com", password).status_code == 200


def test_it_waits_longer_each_time_but_not_for_ever(alice):
    fail(5)
    waits = []
    for _ in range(8):
        waits.append(int(fail(1)[0]["Retry-After"]))
        end_locks()
        fail(1)

    assert waits == sorted(waits)
    assert 25 <= waits[1] <= 30
    assert waits[-1] in range(890, 901)


def test_success_clears_it(alice, password):
    fail(4)
    assert log_in("alice@example.com", password).status_code == 200

    assert [answer.status_code for answer in fail(5)] == [401] * 5


def test_an_unknown_account_answers_alike(alice):
    known = fail(6, "alice@example.com", REMOTE_ADDR="192.0.2.1")
    unknown = fail(6, "nobody@example.com", REMOTE_ADDR="192.0.2.2")

    def told(answer):
        # The seconds to wait go on passing.
        return answer.status_code, re.sub(r"\d+ seconds", "", answer.json()["detail"])

    assert [told(answer) for answer in known] == [told(answer) for answer in unknown]


@pytest.mark.parametrize(
    "email", ["ALICE@example.com", " alice@example.com ", "Ａlice@example.com"]
)
def test_another_writing_of_the_address_is_the_same_account(alice, email):
    fail(5)

    assert log_in(email, "wrong").status_code == 429


def test_another_address_is_not_locked_out(alice, password):
    fail(6, REMOTE_ADDR="192.0.2.1")

    answer = log_in("alice@example.com", password, REMOTE_ADDR="192.0.2.2")
    assert answer.status_code == 200


def test_guesses_from_many_addresses_lock_the_account(alice):
    statuses = [fail(1, REMOTE_ADDR=f"192.0.2.{number}")[0].status_code for number in range(25)]

    assert statuses == [401] * attempts.ACCOUNT + [429] * 5


def test_guesses_at_many_accounts_lock_the_address(db):
    statuses = [fail(1, f"u{number}@example.com")[0].status_code for number in range(55)]

    assert statuses == [401] * attempts.ADDRESS + [429] * 5


def test_a_made_up_forwarded_address_does_not_help(alice):
    statuses = [
        log_in("alice@example.com", "wrong", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code
        for n in range(7)
    ]

    assert statuses == [401] * 5 + [429] * 2


def test_a_refused_attempt_costs_no_hash(alice, monkeypatch):
    fail(5)

    with counted_hashes(monkeypatch) as hashed:
        assert fail(1)[0].status_code == 429

    assert hashed == []


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_all_counted(alice):
    statuses = []

    def guess():
        statuses.append(fail(1)[0].status_code)
        connection.close()

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [401] * 5 + [429] * 7


def test_the_sign_in_page_shares_it(client, alice):
    fail(5)

    answer = client.post("/accounts/login/", {"login": "alice@example.com", "password": "wrong"})

    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0


def test_the_page_counts_for_the_api(client, alice):
    for _ in range(5):
        client.post("/accounts/login/", {"login": "alice@example.com", "password": "wrong"})

    assert fail(1)[0].status_code == 429


def test_the_admin_has_no_door_of_its_own(client, alice, password):
    body = {"username": "alice@example.com", "password": password}

    assert client.post("/admin/login/", body)["Location"].startswith("/accounts/login/")


def test_without_redis_nobody_signs_in(alice, password, settings):
    with redis_away(settings):
        answer = log_in("alice@example.com", password)

    assert answer.status_code == 503
    assert answer.json()["code"] == "store_unavailable"
    assert "Retry-After" in answer


def test_no_address_of_anybody_stands_in_redis(alice):
    fail(1)

    assert all(b"alice" not in name for name in redis.client().keys("*"))
