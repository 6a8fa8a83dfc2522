import threading
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import identify_hasher
from django.db import connection
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts.models import Membership, Organization, User

URL = "/api/v1/auth/register"
ALICE = {"email": "alice@example.com", "password": "correct horse 9", "full_name": "Alice Ames"}


def test_it_works(anyone):
    response = anyone.post(URL, ALICE)

    assert response.status_code == 201
    user = User.objects.get()
    organization = Organization.objects.get()
    assert response.json() == {
        "id": str(user.id),
        "email": "alice@example.com",
        "full_name": "Alice Ames",
        "time_zone": "UTC",
        "theme": "system",
        "created_at": user.created_at.isoformat().replace("+00:00", "Z"),
        "organization": {"id": str(organization.id), "name": "Alice Ames", "slug": "alice"},
        "role": "owner",
    }
    assert now() - user.created_at < timedelta(seconds=30)
    assert not user.is_staff
    assert not user.is_superuser


def test_it_hashes_the_password_with_bcrypt(anyone):
    anyone.post(URL, ALICE)

    user = User.objects.get()
    assert identify_hasher(user.password).algorithm == "bcrypt_sha256"
    assert user.check_password("correct horse 9")
    assert "correct horse" not in user.password


def test_the_full_name_is_optional(anyone):
    answer = anyone.post(URL, {"email": "dora@example.com", "password": "correct horse 9"}).json()

    assert answer["full_name"] == ""
    assert answer["organization"]["name"] == "dora@example.com"


def test_it_keeps_the_address_in_lower_case(anyone):
    answer = anyone.post(URL, {**ALICE, "email": " Alice@EXAMPLE.com "}).json()

    assert answer["email"] == "alice@example.com"


@pytest.mark.parametrize(
    "again", ["alice@example.com", "ALICE@Example.COM", "ａｌｉｃｅ@example.com"]
)
def test_it_refuses_a_taken_address(anyone, again):
    anyone.post(URL, ALICE)

    response = anyone.post(URL, {**ALICE, "email": again})

    assert response.status_code == 409
    assert response.json()["code"] == "email_taken"
    assert User.objects.count() == Organization.objects.count() == 1


def test_equal_local_parts_get_different_slugs(anyone):
    first = anyone.post(URL, ALICE).json()["organization"]["slug"]
    second = anyone.post(URL, {**ALICE, "email": "alice@example.org"}).json()["organization"]

    assert first == "alice"
    assert second["slug"].startswith("alice-")
    assert len(second["slug"]) == len("alice-") + 6


@pytest.mark.parametrize(
    ("email", "slug"),
    [
        ("a.b_c+d@example.com", "ab-cd"),
        ("__@example.com", "user"),
        ("x" * 64 + "@example.com", "x" * 50),
    ],
)
def test_every_address_makes_a_slug(anyone, email, slug):
    assert anyone.post(URL, {**ALICE, "email": email}).json()["organization"]["slug"] == slug


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short1!", "password_too_short"),
        ("password123", "password_too_common"),
        ("84720193846", "password_entirely_numeric"),
        ("alice@example", "password_too_similar"),
    ],
)
def test_it_refuses_a_weak_password(anyone, password, code):
    response = anyone.post(URL, {**ALICE, "password": password})

    assert response.status_code == 400
    errors = response.json()["errors"]
    assert code in [error["code"] for error in errors]
    assert {error["pointer"] for error in errors} == {"/password"}
    assert password not in response.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "no address"}, "/email"),
        ({"email": "a" * 250 + "@example.com"}, "/email"),
        ({"email": 7}, "/email"),
        ({"email": None}, "/email"),
        ({"email": "a\0@example.com"}, "/email"),
        ({"password": 12345678901}, "/password"),
        ({"password": "x" * 1025}, "/password"),
        ({"password": ["correct horse 9"]}, "/password"),
        ({"full_name": "Alice\r\nBcc: everybody"}, "/full_name"),
        ({"full_name": "x" * 151}, "/full_name"),
        ({"is_staff": True}, "/is_staff"),
        ({"is_superuser": True}, "/is_superuser"),
        ({"id": "01890000-0000-7000-8000-000000000000"}, "/id"),
        ({"organization": "acme"}, "/organization"),
        ({"role": "owner"}, "/role"),
    ],
)
def test_it_names_the_field_it_refuses(anyone, change, pointer):
    response = anyone.post(URL, {**ALICE, **change})

    assert response.status_code == 400
    assert pointer in [error["pointer"] for error in response.json()["errors"]]
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_gets_the_address():
    statuses = []

    def sign_up():
        statuses.append(APIClient().post(URL, ALICE).status_code)
        connection.close()

    threads = [threading.Thread(target=sign_up) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [201, 409, 409, 409, 409, 409]
    assert User.objects.count() == Organization.objects.count() == Membership.objects.count() == 1
