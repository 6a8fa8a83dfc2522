"""/api/v1/models, /models/{model}, their versions and aliases"""

import pytest

from accounts.models import Membership
from accounts.roles import Role
from registry.models import RegisteredModel
from tests.factories import make_ready_version, make_version

SECRET_FREE = {
    "id", "name", "description", "tags", "metadata", "caching", "unknown_columns", "payloads",
    "redacted", "aliases", "latest_version", "prediction_endpoint", "openapi_url",
    "created_at", "updated_at",
}  # fmt: skip


@pytest.fixture
def version(alice, organization):
    return make_version(organization, alice)


def test_it_works(alice, client_of, version):
    response = client_of(alice).get("/api/v1/models/iris")

    assert response.status_code == 200
    assert set(response.json()) == SECRET_FREE
    assert response.json()["latest_version"]["status"] == "pending"


def test_the_list_shows_the_organizations_models(alice, bob, charlie, client_of, version):
    assert [m["name"] for m in client_of(bob).get("/api/v1/models").json()["results"]] == ["iris"]
    assert client_of(charlie).get("/api/v1/models").json()["results"] == []


def test_the_list_can_be_searched_and_ordered(alice, client_of, organization):
    for name in ("apple", "banana", "pineapple"):
        make_version(organization, alice, name=name)

    found = client_of(alice).get("/api/v1/models", {"search": "apple", "ordering": "-name"})

    assert [m["name"] for m in found.json()["results"]] == ["pineapple", "apple"]


def test_the_list_takes_the_same_queries_for_many_models(
    alice, client_of, organization, django_assert_max_num_queries
):
    for number in range(5):
        make_version(organization, alice, name=f"model-{number}")
    client = client_of(alice)

    with django_assert_max_num_queries(7):
        assert client.get("/api/v1/models").json()["count"] == 5


def test_a_model_is_found_by_its_id(alice, client_of, version):
    assert client_of(alice).get(f"/api/v1/models/{version.model_id}").json()["name"] == "iris"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("patch", ""),
        ("delete", ""),
        ("get", "/versions"),
        ("get", "/versions/1"),
        ("put", "/aliases/champion"),
        ("delete", "/aliases/mine"),
    ],
)
def test_a_strangers_answer_is_that_of_an_unknown_model(charlie, client_of, version, method, path):
    client = client_of(charlie)
    body = {"version": 1} if method == "put" else {}

    there = getattr(client, method)(f"/api/v1/models/iris{path}", body, format="json")
    nowhere = getattr(client, method)(f"/api/v1/models/nope{path}", body, format="json")

    assert (there.status_code, there.json()["code"]) == (404, "model_not_found")
    assert there.json()["detail"] == nowhere.json()["detail"].replace("nope", "iris")
    assert RegisteredModel.objects.live().count() == 1


def test_description_and_tags_can_be_changed(bob, client_of, version):
    changes = {"description": "Flowers", "tags": ["a"], "metadata": {"owner": "team"}}

    response = client_of(bob).patch("/api/v1/models/iris", changes, format="json")

    assert response.status_code == 200
    model = RegisteredModel.objects.get()
    assert (model.description, model.tags, model.metadata) == ("Flowers", ["a"], {"owner": "team"})


@pytest.mark.parametrize("field", ["name", "organization", "created_by", "deleted_at", "id"])
def test_what_only_the_platform_sets_is_refused(alice, client_of, version, field):
    response = client_of(alice).patch("/api/v1/models/iris", {field: "x"}, format="json")

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == f"/{field}"


def test_deleting_takes_it_out_of_service(alice, client_of, version):
    client = client_of(alice)

    assert client.delete("/api/v1/models/iris").status_code == 204
    assert client.get("/api/v1/models/iris").status_code == 404
    assert client.get("/api/v1/models").json()["results"] == []
    assert RegisteredModel.objects.get().deleted_at is not None


def test_a_viewer_reads_but_does_not_change(bob, client_of, version):
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)
    client = client_of(bob)

    assert client.get("/api/v1/models/iris").status_code == 200
    assert client.delete("/api/v1/models/iris").status_code == 403
    assert client.patch("/api/v1/models/iris", {}, format="json").status_code == 403


def test_a_version_tells_its_status(alice, client_of, version):
    answer = client_of(alice).get("/api/v1/models/iris/versions/1").json()

    assert (answer["number"], answer["status"], answer["digest"]) == (1, "pending", version.digest)


def test_an_unknown_version_is_404(alice, client_of, version):
    response = client_of(alice).get("/api/v1/models/iris/versions/2")

    assert (response.status_code, response.json()["code"]) == (404, "version_not_found")


def test_promoting_moves_the_champion_and_back(alice, client_of, organization):
    make_ready_version(organization, alice)
    make_ready_version(organization, alice)
    client = client_of(alice)

    for number in (2, 1):
        response = client.put(
            "/api/v1/models/iris/aliases/champion", {"version": number}, format="json"
        )
        assert response.status_code == 200
        assert response.json()["version"] == number
    assert client.get("/api/v1/models/iris").json()["aliases"][0]["version"] == 1


def test_a_version_that_is_not_ready_cannot_be_promoted(alice, client_of, version):
    response = client_of(alice).put(
        "/api/v1/models/iris/aliases/champion", {"version": 1}, format="json"
    )

    assert (response.status_code, response.json()["code"]) == (409, "version_not_ready")
    assert not version.model.aliases.exists()


def test_an_alias_of_ones_own_can_be_removed_but_not_the_champion(alice, client_of, organization):
    make_ready_version(organization, alice)
    client = client_of(alice)
    client.put("/api/v1/models/iris/aliases/mine", {"version": 1}, format="json")

    assert client.delete("/api/v1/models/iris/aliases/mine").status_code == 204
    assert client.delete("/api/v1/models/iris/aliases/champion").status_code == 400
    assert [a["name"] for a in client.get("/api/v1/models/iris").json()["aliases"]] == ["champion"]
