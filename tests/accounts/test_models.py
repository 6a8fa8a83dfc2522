from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils.timezone import now

from accounts.models import APIKey, Membership, Organization, User


def test_it_works(alice):
    assert User.objects.get_by_natural_key("ALICE@example.com") == alice
    assert alice.id.version == 7


def test_an_address_is_unique_in_any_case(alice, bob):
    with pytest.raises(IntegrityError, match="user_email_is_unique_in_any_case"):
        User.objects.filter(pk=bob.pk).update(email="Alice@Example.com")


def test_one_membership_per_organization(alice, organization):
    with pytest.raises(IntegrityError, match="one_membership_per_organization"):
        Membership.objects.create(user=alice, organization=organization, role="viewer")


def test_roles_are_known(bob, organization):
    with pytest.raises(IntegrityError, match="membership_role_is_known"):
        organization.memberships.filter(user=bob).update(role="emperor")


@pytest.mark.parametrize("slug", ["", "-a", "a-", "a--b", "A", "a/b", "é"])
def test_slugs_fit_a_url(organization, slug):
    with pytest.raises(IntegrityError, match="organization_slug_fits_a_url"):
        Organization.objects.filter(pk=organization.pk).update(slug=slug)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"prefix": "short"}, "api_key_prefix_is_eight_characters"),
        ({"digest": "mlp_live_x"}, "api_key_digest_is_sha256"),
        ({"scopes": []}, "api_key_has_a_scope"),
        (
            {"expires_at": now() - timedelta(days=1)},
            "api_key_expires_after_it_was_made",
        ),
    ],
)
def test_keys_are_whole(make_key, change, constraint):
    key, _ = make_key()

    with pytest.raises(IntegrityError, match=constraint):
        APIKey.objects.filter(pk=key.pk).update(**change)


def test_prefixes_are_unique(make_key):
    first, _ = make_key()
    second, _ = make_key()

    with pytest.raises(IntegrityError, match="prefix"):
        APIKey.objects.filter(pk=first.pk).update(prefix=second.prefix)
