from uuid import uuid4

import pytest

from accounts.models import User

URL = "/api/v1/users/me"


def slug_for(client, **headers):
    return client.get(URL, headers=headers).json()["organization"]["slug"]


def test_it_works(client_of, alice, bob, organization):
    assert slug_for(client_of(alice)) == slug_for(client_of(bob)) == organization.slug


def test_the_personal_one_comes_first_though_the_other_is_older(client_of, bob, bobs_own):
    assert slug_for(client_of(bob)) == bobs_own.slug


@pytest.mark.parametrize("by", ["slug", "id"])
def test_people_choose_by_header(client_of, bob, bobs_own, organization, by):
    assert (
        slug_for(client_of(bob), **{"X-Organization": str(getattr(organization, by))})
        == organization.slug
    )


@pytest.mark.parametrize("asked", ["", "é", "\0", "x" * 100_000, "A B", "'; drop table", "-"])
def test_nonsense_is_404(client_of, alice, asked):
    response = client_of(alice).get(URL, headers={"X-Organization": asked})

    assert response.status_code == 404
    assert response.json()["code"] == "unknown_organization"
    assert len(response.content) < 1000


def test_others_organizations_are_as_unknown_as_none(client_of, charlie, organization):
    theirs = client_of(charlie).get(URL, headers={"X-Organization": str(organization.id)})
    nobodys = client_of(charlie).get(URL, headers={"X-Organization": str(uuid4())})

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json()["code"] == nobodys.json()["code"] == "unknown_organization"


def test_a_key_acts_in_its_own_organization(anyone, bob, bobs_own, make_key, organization):
    _, secret = make_key(by=bob)

    assert slug_for(anyone, **{"X-API-Key": secret}) == organization.slug


def test_a_key_does_not_leave_its_organization(anyone, bob, bobs_own, make_key):
    _, secret = make_key(by=bob)

    headers = {"X-API-Key": secret, "X-Organization": bobs_own.slug}

    assert anyone.get(URL, headers=headers).status_code == 404


def test_who_is_in_no_organization_is_told_so(client_of, db):
    lonely = User.objects.create_user("lonely@example.com", "a-fine-Passphrase-7")

    response = client_of(lonely).get(URL)

    assert response.status_code == 403
    assert response.json()["code"] == "no_organization"
