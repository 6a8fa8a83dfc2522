import pytest
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from accounts import permissions, tokens

CLASSES = ["CanRead", "CanPredict", "CanRunJobs", "CanDeploy", "CanManageKeys", "CanAdminister"]
ALL = set(CLASSES)


def allowed(**headers):
    return {name for name in CLASSES if status_of(name, headers) == 200}


def status_of(name, headers):
    class View(APIView):
        permission_classes = [getattr(permissions, name)]

        def get(self, request):
            return Response()

    response = View.as_view()(APIRequestFactory().get("/", headers=headers))
    return response.status_code


def test_it_works(alice):
    assert allowed(Authorization=f"Bearer {tokens.issue(alice).access}") == ALL


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("owner", ALL),
        ("admin", ALL),
        ("developer", ALL - {"CanAdminister"}),
        ("viewer", {"CanRead", "CanManageKeys"}),
    ],
)
def test_the_role_decides(bob, organization, role, may):
    organization.memberships.filter(user=bob).update(role=role)
    headers = {
        "Authorization": f"Bearer {tokens.issue(bob).access}",
        "X-Organization": organization.slug,
    }

    assert allowed(**headers) == may


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (["predict"], {"CanPredict"}),
        (["models:read"], {"CanRead"}),
        (["models:write"], {"CanRead", "CanDeploy"}),
        (["jobs"], {"CanRunJobs"}),
        (["admin"], ALL),
        (["predict", "models:read"], {"CanPredict", "CanRead"}),
    ],
)
def test_the_scopes_of_a_key_narrow_it(make_key, scopes, may):
    _, secret = make_key(scopes=scopes)

    assert allowed(**{"X-API-Key": secret}) == may


def test_scopes_add_nothing_to_the_role(bob, organization, make_key):
    _, secret = make_key(by=bob, scopes=["admin"])
    organization.memberships.filter(user=bob).update(role="viewer")

    assert allowed(**{"X-API-Key": secret}) == {"CanRead", "CanManageKeys"}


def test_nobody_may_nothing(db):
    assert {status_of(name, {}) for name in CLASSES} == {401}
