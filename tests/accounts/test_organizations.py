import pytest

from accounts.models import AuditEvent, Organization
from accounts.organizations import MOST_OWNED
from tests.accounts.people import with_role

URL = "/api/v1/organizations"


def test_it_works(alice, client_of, organization):
    answer = client_of(alice).get(URL)

    assert answer.status_code == 200
    assert answer.json()["results"] == [
        {
            "id": str(organization.pk),
            "name": "Alice",
            "slug": "alice",
            "is_personal": True,
            "created_at": answer.json()["results"][0]["created_at"],
            "role": "owner",
        }
    ]


def test_the_list_has_ones_own_only(bob, bobs_own, charlie, client_of, organization):
    def slugs(user):
        return [row["slug"] for row in client_of(user).get(URL).json()["results"]]

    assert slugs(bob) == [bobs_own.slug, organization.slug]
    assert slugs(charlie) == ["charlie"]


def test_a_key_sees_its_own_only(anyone, bob, bobs_own, make_key, organization):
    _, secret = make_key(by=bob)

    answer = anyone.get(URL, headers={"X-API-Key": secret}).json()

    assert [row["slug"] for row in answer["results"]] == [organization.slug]


def test_another_one_is_made(alice, client_of):
    client = client_of(alice)

    first = client.post(URL, {"name": "Acme GmbH"})
    second = client.post(URL, {"name": "Acme GmbH"})

    assert (first.status_code, first.json()["slug"]) == (201, "acme-gmbh")
    assert first.json()["role"] == "owner"
    assert not first.json()["is_personal"]
    assert second.json()["slug"].startswith("acme-gmbh-")
    event = AuditEvent.objects.newest_first().filter(organization=first.json()["id"]).get()
    assert str(event) == "Alice (alice@example.com) created the organization acme-gmbh"


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 151, 5, None])
def test_a_bad_name_is_refused(alice, client_of, name):
    assert client_of(alice).post(URL, {"name": name}).status_code == 400
    assert Organization.objects.count() == 1


def test_a_name_without_letters_gets_a_slug(alice, client_of):
    assert client_of(alice).post(URL, {"name": "数据"}).json()["slug"] == "organization"


def test_there_is_an_end(alice, client_of):
    client = client_of(alice)
    for number in range(MOST_OWNED - 1):
        assert client.post(URL, {"name": f"Number {number}"}).status_code == 201

    answer = client.post(URL, {"name": "One more"})

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many")


def test_a_key_makes_none(anyone, make_key):
    _, secret = make_key(scopes=["admin"])

    assert anyone.post(URL, {"name": "x"}, headers={"X-API-Key": secret}).status_code == 403


def test_one_is_found_by_slug_and_by_id(bob, client_of, organization):
    client = client_of(bob)

    for reference in (organization.slug, organization.pk):
        answer = client.get(f"{URL}/{reference}").json()
        assert (answer["slug"], answer["role"]) == (organization.slug, "developer")


def test_the_url_wins_over_the_header(bob, bobs_own, client_of, organization):
    headers = {"X-Organization": bobs_own.slug}

    answer = client_of(bob).get(f"{URL}/{organization.slug}", headers=headers)

    assert answer.json()["slug"] == organization.slug


def test_a_key_stays_in_its_own(anyone, bob, bobs_own, make_key, organization):
    _, secret = make_key(by=bob)
    headers = {"X-API-Key": secret}

    assert anyone.get(f"{URL}/{organization.slug}", headers=headers).status_code == 200
    assert anyone.get(f"{URL}/{bobs_own.slug}", headers=headers).status_code == 404


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("developer", 403), ("viewer", 403)]
)
def test_who_renames(client_of, organization, role, status):
    dora = with_role(organization, role)

    answer = client_of(dora).patch(f"{URL}/{organization.slug}", {"name": "Acme"})

    assert answer.status_code == status
    organization.refresh_from_db()
    assert organization.name == ("Acme" if status == 200 else "Alice")
    assert organization.slug == "alice"
    assert AuditEvent.objects.filter(verb="organization.renamed").count() == (status == 200)


@pytest.mark.parametrize("field", ["slug", "is_personal", "id", "role", "generation"])
def test_only_the_name_can_be_set(alice, client_of, organization, field):
    answer = client_of(alice).patch(f"{URL}/{organization.slug}", {"name": "x", field: "y"})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{field}"
