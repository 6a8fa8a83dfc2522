"""The operators' admin has every table of ours, and each opens."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from accounts.models import User
from tests.factories import make_version

OURS = ("accounts", "registry", "inference", "jobs")


@pytest.fixture
def operator(db, client):
    operator = User.objects.create_superuser("operator@example.com", "a long engine of steam")
    client.force_login(operator)
    return client


def test_every_table_of_ours_is_there():
    models = [model for app in OURS for model in apps.get_app_config(app).get_models()]

    assert [model for model in models if not admin.site.is_registered(model)] == []


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_its_list_opens_and_can_be_searched(operator, organization, alice, model):
    make_version(organization, alice)
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    assert operator.get(url).status_code == 200
    assert operator.get(url, {"q": "iris"}).status_code == 200


def test_the_front_page_opens(operator):
    assert operator.get("/admin/").status_code == 200


def test_only_operators_come_in(alice, client):
    client.force_login(alice)

    assert client.get("/admin/").status_code == 302
