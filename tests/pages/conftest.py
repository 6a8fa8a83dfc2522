"""Rows as admission leaves them, made without it: pages only show."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils.timezone import now

from accounts.models import Membership, Organization, User
from accounts.roles import Role
from accounts.sign_up import register
from registry.models import ModelVersion
from registry.promotion import point
from registry.signature import Input, Signature
from tests.conftest import PASSWORD
from tests.factories import make_version

SIGNATURE = Signature(
    (
        Input("age", "float"),
        Input("income", "float", nullable=True),
        Input("plan", "string", categories=("basic", "it's all"), unseen="error"),
    ),
    named=True,
    outputs={
        "predict": {"dtype": "string", "count": 1},
        "predict_proba": {"classes": [["leaves", "stays"]]},
    },
    methods=("predict", "predict_proba"),
)
PARITY = {
    "rows": 400,
    "labels_equal": 1.0,
    "largest_difference": 3.3e-16,
    "reason": "",
    "original_ms": 3.7,
    "graph_ms": 0.08,
    "speedup": 46.2,
}
FACTS = {
    "class": "sklearn.pipeline.Pipeline",
    "steps": ["StandardScaler", "LogisticRegression"],
    "trained_with": "1.2.2",
    "runs_with": "1.9.1",
    "params": {"C": "0.5"},
}


def make_ready(
    organization: Organization,
    by: User,
    *,
    name: str = "churn",
    graph: bool = True,
    signature: Signature = SIGNATURE,
    parity: dict | None = None,
    facts: dict | None = None,
) -> ModelVersion:
    version = make_version(organization, by, name=name, content=b"the file of a model")
    version.mark_ready(
        signature=signature,
        facts=FACTS if facts is None else facts,
        graph_digest="a" * 64 if graph else "",
        parity=PARITY if parity is None else parity,
        golden={},
        at=now(),
    )
    return version


def make_champion(organization: Organization, by: User, **options: object) -> ModelVersion:
    version = make_ready(organization, by, **options)
    point(version, alias="champion", at=now())
    return version


@pytest.fixture
def viewer(organization: Organization) -> User:
    """Somebody on alice's team who may only look."""
    viewer = register(email="vera@example.com", password=PASSWORD, full_name="Vera", at=now())
    viewer.memberships.all().delete()
    Membership.objects.create(user=viewer, organization=organization, role=Role.VIEWER)
    return viewer


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make
