"""The organization's pages: people, invitations, settings, choosing one."""

import pytest
from django.core import mail
from django.utils.timezone import now

from accounts import invitations
from accounts.models import AuditEvent, Invitation, Membership, Organization
from accounts.sign_up import give_personal_organization

URL = "/organization"


def text_of(response):
    return response.content.decode()


@pytest.fixture
def post(organization, browser_of):
    """post(alice, "/rename", name="x"): as the page's form sends it."""

    def send(user, path, **fields):
        body = {"organization": organization.pk, **fields}
        return browser_of(user).post(f"{URL}{path}", body)

    return send


def test_it_works(alice, bob, browser_of, organization):
    page = text_of(browser_of(alice).get(URL))

    assert "bob@example.com" in page
    assert "you are owner" in page
    assert f'action="/organization/members/{bob.pk}/remove"' in page
    assert "upload models, promote versions" in page
    assert 'href="/organization/audit"' in page


def test_a_viewer_sees_people_and_changes_nothing(alice, viewer, browser_of):
    page = text_of(browser_of(viewer).get(URL))

    assert "alice@example.com" in page
    for absent in ("/organization/members/", "/organization/invitations", "/organization/audit"):
        assert absent not in page
    assert "/organization/leave" in page


def test_somebody_without_an_organization_is_told_so(bob, browser_of):
    bob.memberships.all().delete()

    response = browser_of(bob).get(URL)

    assert response.status_code == 403
    assert "Ask to be invited" in text_of(response)


def test_a_role_is_changed_and_somebody_removed(alice, bob, organization, post):
    assert post(alice, f"/members/{bob.pk}/role", role="viewer").status_code == 302
    assert organization.memberships.get(user=bob).role == "viewer"

    assert post(alice, f"/members/{bob.pk}/remove").status_code == 302
    assert not organization.memberships.filter(user=bob).exists()


@pytest.mark.parametrize("path", ["/rename", "/members/{}/role", "/members/{}/remove"])
def test_a_viewer_is_refused(alice, viewer, organization, post, path):
    response = post(viewer, path.format(alice.pk), role="viewer", name="x")

    assert response.status_code == 403
    organization.refresh_from_db()
    assert (organization.name, organization.memberships.get(user=alice).role) == ("Alice", "owner")


def test_the_last_owner_cannot_leave(alice, organization, post):
    response = post(alice, "/leave")

    assert response.status_code == 409
    assert "last owner" in text_of(response)
    assert organization.memberships.filter(user=alice).exists()


def test_somebody_leaves(bob, organization, post):
    assert post(bob, "/leave").status_code == 302
    assert not organization.memberships.filter(user=bob).exists()


def test_it_is_renamed(alice, organization, post):
    post(alice, "/rename", name="Acme")
    organization.refresh_from_db()
    assert organization.name == "Acme"

    response = post(alice, "/rename", name="A\u202ecme")
    assert response.status_code == 400
    assert "invisible characters are not allowed" in text_of(response)


def test_it_is_transferred(alice, bob, organization, post):
    assert post(alice, "/transfer", user_id=bob.pk).status_code == 302
    assert organization.memberships.get(user=bob).role == "owner"


def test_somebody_is_invited_and_joins(
    alice, charlie, browser_of, organization, post, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        post(alice, "/invitations", email="Charlie@example.com", role="viewer")
    assert "charlie@example.com" in text_of(browser_of(alice).get(URL))
    link = next(line for line in mail.outbox[0].body.splitlines() if "/invitations/" in line)
    path = link.removeprefix("http://localhost:8000")

    client = browser_of(charlie)
    assert "Join Alice" in text_of(client.get(path))
    assert not organization.memberships.filter(user=charlie).exists()
    response = client.post(path)

    assert (response.status_code, response["Location"]) == (302, URL)
    assert organization.memberships.get(user=charlie).role == "viewer"
    # Chosen at once, though it is not their personal one.
    assert "you are viewer" in text_of(client.get(URL))


def test_an_invitation_asks_strangers_to_sign_in(alice, client, organization, post):
    post(alice, "/invitations", email="charlie@example.com", role="viewer")
    path = f"/invitations/{invitations.token_of(Invitation.objects.get())}"
    page = text_of(client.get(path))

    assert f'href="/accounts/login/?next={path.replace(":", "%3A")}"' in page
    assert client.post(path).status_code == 200
    assert Invitation.objects.get().accepted_at is None


def test_an_invitation_for_another(alice, bob, browser_of, post):
    post(alice, "/invitations", email="charlie@example.com", role="viewer")
    path = f"/invitations/{invitations.token_of(Invitation.objects.get())}"

    assert "You are signed in as bob@example.com" in text_of(browser_of(bob).get(path))
    assert browser_of(bob).post(path).status_code == 403


def test_a_void_invitation_says_what_to_do(client, db):
    response = client.get("/invitations/no:thing")

    assert response.status_code == 404
    assert "Ask for another one" in text_of(response)


def test_an_invitation_is_withdrawn(alice, post):
    post(alice, "/invitations", email="charlie@example.com", role="viewer")

    post(alice, f"/invitations/{Invitation.objects.get().pk}/withdraw")

    assert Invitation.objects.get().revoked_at is not None


def test_a_form_acts_where_it_was_shown(alice, browser_of, organization):
    """Another tab chose another organization since."""
    client = browser_of(alice)
    client.post("/organizations/new", {"new_name": "Acme"})

    client.post(f"{URL}/rename", {"organization": organization.pk, "name": "Mine"})

    assert set(Organization.objects.values_list("name", flat=True)) == {"Mine", "Acme"}
    organization.refresh_from_db()
    assert organization.name == "Mine"


@pytest.mark.parametrize("asked", ["", "nonsense", "\0", "charlie"])
def test_a_form_of_nowhere(alice, charlie, browser_of, asked):
    response = browser_of(alice).post(f"{URL}/rename", {"organization": asked, "name": "x"})

    assert response.status_code == 404
    assert not Organization.objects.filter(name="x").exists()


# --- choosing one -----------------------------------------------------------------


@pytest.fixture
def bobs_own(bob):
    return give_personal_organization(bob, at=now())


def slug_in(client):
    return client.get("/api/v1/users/me").json()["organization"]["slug"]


def test_a_choice_holds_for_pages_and_the_browsers_calls(bob, bobs_own, browser_of, organization):
    client = browser_of(bob)
    assert f"<code>{bobs_own.slug}</code>" in text_of(client.get(URL))
    assert 'action="/organizations/switch"' in text_of(client.get("/"))

    response = client.post(
        "/organizations/switch", {"organization": organization.pk, "next": "/organization"}
    )

    assert (response.status_code, response["Location"]) == (302, "/organization")
    assert f"<code>{organization.slug}</code>" in text_of(client.get(URL))
    assert slug_in(client) == organization.slug
    assert slug_in(browser_of(bob)) == bobs_own.slug


def test_a_choice_ends_with_the_membership(bob, bobs_own, browser_of, organization):
    client = browser_of(bob)
    client.post("/organizations/switch", {"organization": organization.pk})
    Membership.objects.filter(user=bob, organization=organization).delete()

    assert client.get(URL).status_code == 200
    assert f"<code>{bobs_own.slug}</code>" in text_of(client.get(URL))


def test_a_header_and_a_token_know_nothing_of_the_choice(
    bob, bobs_own, browser_of, client_of, organization
):
    client = browser_of(bob)
    client.post("/organizations/switch", {"organization": organization.pk})
    token = client_of(bob)._credentials["HTTP_AUTHORIZATION"]

    by_token = client.get("/api/v1/users/me", headers={"Authorization": token})
    by_header = client.get("/api/v1/users/me", headers={"X-Organization": bobs_own.slug})

    assert by_token.json()["organization"]["slug"] == bobs_own.slug
    assert by_header.json()["organization"]["slug"] == bobs_own.slug


def test_nobody_chooses_anothers(charlie, browser_of, organization):
    client = browser_of(charlie)

    assert (
        client.post("/organizations/switch", {"organization": organization.pk}).status_code == 404
    )
    assert slug_in(client) == "charlie"


@pytest.mark.parametrize("after", ["https://evil.example/", "//evil.example", "javascript:x", ""])
def test_the_choice_leads_nowhere_else(bob, browser_of, organization, after):
    body = {"organization": organization.pk, "next": after}

    assert browser_of(bob).post("/organizations/switch", body)["Location"] == "/"


def test_with_one_organization_there_is_nothing_to_choose(alice, browser_of):
    assert "/organizations/switch" not in text_of(browser_of(alice).get("/"))


# --- the audit log ------------------------------------------------------------------


def test_the_audit_log_is_shown_and_filtered(alice, bob, browser_of, post):
    post(alice, f"/members/{bob.pk}/role", role="viewer")
    client = browser_of(alice)

    everything = text_of(client.get(f"{URL}/audit"))
    signed_up = text_of(client.get(f"{URL}/audit?verb=account.signed_up&actor=ali"))

    changed = "changed the role of Bob (bob@example.com) from developer to viewer"
    assert changed in everything
    assert "127.0.0.1" in everything
    assert changed not in signed_up
    assert "signed up" in signed_up
    assert 'href="/organization/audit.csv?verb=account.signed_up&amp;actor=ali"' in signed_up


def test_it_comes_as_a_file(alice, browser_of):
    response = browser_of(alice).get(f"{URL}/audit.csv?verb=account.signed_up")

    lines = b"".join(response.streaming_content).decode().splitlines()
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert len(lines) == 2
    assert "Alice (alice@example.com) signed up" in lines[1]


def test_later_pages_keep_the_filter(alice, browser_of, organization):
    AuditEvent.objects.bulk_create(
        AuditEvent(
            organization=organization, actor_label="x", verb="key.created", target_label=str(n)
        )
        for n in range(60)
    )

    page = text_of(browser_of(alice).get(f"{URL}/audit?verb=key.created&page=1"))

    assert "60 events" in page
    assert 'href="?verb=key.created&amp;page=2"' in page


@pytest.mark.parametrize("asked", ["verb=nonsense", "since=never", "actor=%00", "page=x"])
def test_a_bad_filter_shows_what_is_wrong(alice, browser_of, asked):
    assert browser_of(alice).get(f"{URL}/audit?{asked}").status_code == 200


def test_names_are_text(alice, bob, browser_of, organization, post):
    post(alice, "/rename", name="<script>alert(1)</script>")

    for path in (URL, f"{URL}/audit", "/"):
        assert "<script>alert" not in text_of(browser_of(alice).get(path))
