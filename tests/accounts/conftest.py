from functools import partial

import pytest
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts import api_keys
from accounts.sign_up import give_personal_organization
from tests.conftest import PASSWORD


@pytest.fixture
def anyone(db):
    """A client without credentials."""
    return APIClient()


@pytest.fixture
def password(alice):
    """alice's."""
    return PASSWORD


@pytest.fixture
def bobs_own(bob):
    """A second organization for bob, his personal one."""
    return give_personal_organization(bob, at=now())


@pytest.fixture
def make_key(alice, organization):
    """make_key(scopes=[…]) -> (row, secret), by alice in her organization, but as told."""
    return partial(api_keys.create_key, organization=organization, by=alice, name="ci", at=now())
