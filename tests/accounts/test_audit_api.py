import csv
import io
from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts import audit
from accounts.models import AuditEvent
from tests.accounts.people import with_role


@pytest.fixture
def url(organization):
    return f"/api/v1/organizations/{organization.slug}/audit"


def rows_of(response):
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    content = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(content)))


def test_it_works(alice, client_of, url):
    answer = client_of(alice).get(url)

    assert answer.status_code == 200
    [event] = answer.json()["results"]
    assert event["sentence"] == "Alice (alice@example.com) signed up"
    assert event["verb"] == "account.signed_up"
    assert event["actor_id"] == str(alice.pk)
    assert (event["target_type"], event["target_id"]) == ("user", str(alice.pk))


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("developer", 403), ("viewer", 403)]
)
def test_who_reads_it(client_of, organization, url, role, status):
    client = client_of(with_role(organization, role))

    for asked in ("", "?format=csv"):
        answer = client.get(url + asked)
        assert answer.status_code == status
        if status == 403:
            assert answer["Content-Type"] == "application/problem+json"
            assert answer.json()["code"] == "permission_denied"


def test_it_has_the_organizations_events_only(alice, client_of, url):
    """Sign-ins belong to the account, not to an organization."""
    audit.record(organization=None, by=alice, verb="account.signed_in", target=alice)

    answer = client_of(alice).get(url).json()

    assert [row["verb"] for row in answer["results"]] == ["account.signed_up"]


@pytest.fixture
def events(alice, bob, organization):
    """One a day, the first five days ago: alice and bob by turns."""
    for days in range(5, 0, -1):
        by = alice if days % 2 else bob
        AuditEvent.objects.create(
            organization=organization,
            actor=by,
            actor_label=by.full_name,
            verb="key.created" if days < 4 else "key.revoked",
            target_label=f"key {days}",
            created_at=now() - timedelta(days=days),
        )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"verb": "key.created"}, ["key 1", "key 2", "key 3"]),
        ({"verb": "key.created", "actor": "bob"}, ["key 2"]),
        ({"actor": "nobody"}, []),
        ({"verb": "key.revoked", "since": timedelta(days=4.5)}, ["key 4"]),
        ({"verb": "key.revoked", "until": timedelta(days=4.5)}, ["key 5"]),
    ],
)
def test_it_is_filtered(alice, client_of, events, url, asked, expected):
    query = {
        name: (now() - value).isoformat() if isinstance(value, timedelta) else value
        for name, value in asked.items()
    }
    answer = client_of(alice).get(url, query).json()

    assert [row["target"] for row in answer["results"]] == expected
    assert [
        row["target"] for row in rows_of(client_of(alice).get(url, {**query, "format": "csv"}))
    ] == expected


def test_an_actor_may_be_an_id(alice, bob, client_of, events, url):
    answer = client_of(alice).get(url, {"actor": str(bob.pk)}).json()

    assert {row["actor_id"] for row in answer["results"]} == {str(bob.pk)}


def test_it_comes_in_pages(alice, client_of, events, url):
    answer = client_of(alice).get(url, {"page_size": 2, "page": 2}).json()

    assert answer["count"] == 6
    assert [row["target"] for row in answer["results"]] == ["key 2", "key 3"]


@pytest.mark.parametrize(
    "asked", [{"verb": "no.such"}, {"since": "yesterday"}, {"until": "\0"}, {"actor": "\0"}]
)
def test_a_bad_filter_is_named(alice, client_of, url, asked):
    answer = client_of(alice).get(url, asked)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(asked))}"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " ="])
def test_a_spreadsheet_carries_out_nothing(alice, client_of, organization, url, start):
    text = f"{start}HYPERLINK(1)"
    audit.record(organization=organization, by=alice, verb="key.created", target=text)

    row = rows_of(client_of(alice).get(url, {"format": "csv"}))[0]

    assert row["target"] == f"'{text}"


def test_by_accept_header_too(alice, client_of, url):
    response = client_of(alice).get(url, headers={"Accept": "text/csv"})

    assert rows_of(response)[0]["verb"] == "account.signed_up"
    assert response["Content-Disposition"] == 'attachment; filename="audit-alice.csv"'


def test_no_admin_key_no_log(anyone, make_key, url):
    for scopes, status in (["models:read"], 403), (["admin"], 200):
        _, secret = make_key(scopes=scopes)
        assert anyone.get(url, headers={"X-API-Key": secret}).status_code == status


# --- of one's account ----------------------------------------------------------------


def test_one_sees_what_happened_to_ones_account(alice, bob, client_of):
    audit.record(organization=None, by=alice, verb="account.signed_in", target=alice)
    audit.record_failed_sign_in("alice@example.com")
    audit.record_failed_sign_in("bob@example.com")
    audit.record(organization=None, by=bob, verb="account.signed_in", target=bob)

    answer = client_of(alice).get("/api/v1/users/me/audit").json()

    assert [row["sentence"] for row in answer["results"]] == [
        "Somebody failed to sign in as Alice (alice@example.com)",
        "Alice (alice@example.com) signed in",
    ]


def test_a_key_sees_nothing_of_its_makers_account(anyone, make_key):
    _, secret = make_key(scopes=["admin"])

    answer = anyone.get("/api/v1/users/me/audit", headers={"X-API-Key": secret})

    assert answer.status_code == 403
