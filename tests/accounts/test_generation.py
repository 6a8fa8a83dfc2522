import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils.timezone import now

from accounts import generation
from accounts.models import Organization
from mlplatform.foundation import redis


def announced(organization):
    return int(redis.client().get(generation.key_of(organization.pk)) or 0)


def stored(organization):
    return Organization.objects.values_list("generation", flat=True).get(pk=organization.pk)


def test_it_works(organization):
    before = now().timestamp() * 1_000_000

    generation.bump(organization)

    assert stored(organization) >= before
    assert announced(organization) == stored(organization)


def test_it_always_grows(organization):
    far = 2**52
    Organization.objects.filter(pk=organization.pk).update(generation=far)

    generation.bump(organization)

    assert stored(organization) == far + 1


def test_a_users_password_and_account_reach_all_their_organizations(bob, bobs_own, organization):
    bob.change_password("another-Passphrase-8")
    first = {stored(bobs_own), stored(organization)}
    bob.deactivate()

    assert 0 not in first
    assert stored(bobs_own) not in first
    assert announced(bobs_own) == stored(bobs_own)
    assert announced(organization) == stored(organization)


def test_revoking_a_key_does_it(organization, make_key):
    key, _ = make_key()

    key.revoke(at=now())

    assert announced(organization) == stored(organization) > 0


def test_an_older_number_never_replaces_a_newer_one(organization):
    generation.bump(organization)
    newest = announced(organization)

    generation._announce([(organization.pk, newest - 1)], lifetime=generation.LIFETIME)

    assert announced(organization) == newest


@pytest.mark.django_db(transaction=True)
def test_it_is_announced_before_the_commit_for_a_while_and_then_for_long(organization):
    with transaction.atomic():
        generation.bump(organization)
        pending = redis.client().ttl(generation.key_of(organization.pk))
    committed = redis.client().ttl(generation.key_of(organization.pk))

    assert 0 < pending <= 30
    assert 30 < committed <= 24 * 3600
    assert announced(organization) == stored(organization)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_both_count(organization):
    numbers = set()

    def bump():
        with transaction.atomic():
            generation.bump(organization)
            numbers.add(stored(organization))
        connection.close()

    threads = [threading.Thread(target=bump) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(numbers) == 8
    assert announced(organization) == stored(organization) == max(numbers)


def test_the_sweeper_announces_again(organization, charlie):
    generation.bump(organization)
    redis.client().flushdb()

    assert generation.republish_recent(at=now()) == 1
    assert announced(organization) == stored(organization)
    assert generation.republish_recent(at=now() + timedelta(minutes=3)) == 0


def test_without_redis_the_row_grows_all_the_same(organization, settings):
    settings.CACHE_URL = "unix:///nowhere/redis.sock"
    redis.client.cache_clear()
    try:
        generation.bump(organization)
    finally:
        redis.client.cache_clear()

    assert stored(organization) > 0
