import re
from datetime import timedelta

import pytest
from django.core import mail
from django.utils.timezone import now

from accounts import invitations
from accounts.models import AuditEvent, Invitation
from tests.accounts.people import with_role


@pytest.fixture
def url(organization):
    return f"/api/v1/organizations/{organization.slug}/invitations"


@pytest.fixture
def invite(alice, client_of, url, django_capture_on_commit_callbacks):
    """invite("evan@example.com", "viewer") -> the answer; the mail is out."""

    def post(email="charlie@example.com", role="developer", by=alice):
        with django_capture_on_commit_callbacks(execute=True):
            return client_of(by).post(url, {"email": email, "role": role})

    return post


def token_in(message):
    return re.search(r"http://\S+/invitations/(\S+)", message.body)[1]


def accept(client, token):
    return client.post("/api/v1/invitations/accept", {"token": token})


def test_it_works(alice, charlie, client_of, invite, organization, url):
    answer = invite("Charlie@Example.com", "viewer")

    assert answer.status_code == 201
    assert answer.json()["email"] == "charlie@example.com"
    assert "token" not in answer.json()
    [message] = mail.outbox
    assert message.to == ["charlie@example.com"]
    assert "Alice (alice@example.com) asks you to join" in message.body
    waiting = client_of(alice).get(url).json()["results"]
    assert [(row["email"], row["role"]) for row in waiting] == [("charlie@example.com", "viewer")]
    assert waiting[0]["mailed_at"] is not None

    joined = accept(client_of(charlie), token_in(message))

    assert (joined.status_code, joined.json()["role"]) == (200, "viewer")
    assert joined.json()["slug"] == organization.slug
    assert organization.memberships.get(user=charlie).role == "viewer"
    assert client_of(alice).get(url).json()["results"] == []
    sentences = [str(event) for event in AuditEvent.objects.for_organization(organization)
                 .filter(verb__startswith="member.").newest_first()]  # fmt: skip
    assert sentences == [
        "Charlie (charlie@example.com) joined as viewer",
        "Alice (alice@example.com) invited charlie@example.com as viewer",
    ]


@pytest.mark.parametrize("role", ["owner", "admin", "developer", "viewer"])
@pytest.mark.parametrize("actor", ["owner", "admin", "developer", "viewer"])
def test_who_invites_as_what(client_of, invite, organization, actor, role):
    dora = with_role(organization, actor)

    answer = invite("evan@example.com", role, by=dora)

    allowed = actor == "owner" or (actor == "admin" and role != "owner")
    assert answer.status_code == (201 if allowed else 403)
    assert Invitation.objects.count() == len(mail.outbox) == int(allowed)


def test_a_link_works_once(charlie, client_of, invite, organization):
    invite()
    token = token_in(mail.outbox[0])
    assert accept(client_of(charlie), token).status_code == 200
    organization.memberships.filter(user=charlie).delete()

    again = accept(client_of(charlie), token)

    assert (again.status_code, again.json()["code"]) == (404, "invitation_void")
    assert not organization.memberships.filter(user=charlie).exists()


def test_it_is_for_the_invited_only(bob, charlie, client_of, invite, organization):
    dora = with_role(organization, "viewer")
    dora.memberships.all().delete()
    invite("charlie@example.com")

    answer = accept(client_of(dora), token_in(mail.outbox[0]))

    assert (answer.status_code, answer.json()["code"]) == (403, "invitation_for_another")
    assert "sent to charlie@example.com" in answer.json()["detail"]
    assert accept(client_of(charlie), token_in(mail.outbox[0])).status_code == 200


def test_after_a_week_it_is_void(charlie, client_of, invite):
    invite()
    Invitation.objects.update(expires_at=now() - timedelta(seconds=1))

    assert accept(client_of(charlie), token_in(mail.outbox[0])).json()["code"] == "invitation_void"


@pytest.mark.parametrize("token", ["x", "x:y", "", " ", "é", "a" * 300, 5])
def test_a_forged_link(charlie, client_of, invite, organization, token):
    invite()

    assert accept(client_of(charlie), token).status_code in (400, 404)
    assert not organization.memberships.filter(user=charlie).exists()


def test_a_changed_link(charlie, client_of, invite):
    invite()
    token = token_in(mail.outbox[0])
    other = token[:-1] + ("A" if token[-1] != "A" else "B")

    assert accept(client_of(charlie), other).json()["code"] == "invitation_void"


def test_inviting_again_voids_the_first_link(charlie, client_of, invite):
    invite()
    invite()
    first, second = (token_in(message) for message in mail.outbox)

    assert accept(client_of(charlie), first).json()["code"] == "invitation_void"
    assert accept(client_of(charlie), second).status_code == 200


def test_one_is_withdrawn(alice, charlie, client_of, invite, url):
    made = invite().json()

    assert client_of(alice).delete(f"{url}/{made['id']}").status_code == 204
    assert client_of(alice).delete(f"{url}/{made['id']}").status_code == 404
    assert accept(client_of(charlie), token_in(mail.outbox[0])).json()["code"] == "invitation_void"
    assert AuditEvent.objects.filter(verb="member.invitation_revoked").count() == 1


def test_a_members_address(bob, invite):
    answer = invite("bob@example.com")

    assert (answer.status_code, answer.json()["code"]) == (409, "already_member")
    assert mail.outbox == []


def test_joining_twice(charlie, client_of, invite, organization):
    invite()
    organization.memberships.create(user=charlie, role="viewer")

    answer = accept(client_of(charlie), token_in(mail.outbox[0]))

    assert (answer.status_code, answer.json()["code"]) == (409, "already_member")
    assert organization.memberships.get(user=charlie).role == "viewer"


def test_there_is_an_end(invite, monkeypatch):
    monkeypatch.setattr(invitations, "MOST_PENDING", 2)
    statuses = [invite(f"{n}@example.com").status_code for n in range(3)]

    assert statuses == [201, 201, 409]


def test_a_mail_server_that_is_away_costs_the_mail_only(alice, client_of, invite, settings, url):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1

    assert invite().status_code == 201
    assert client_of(alice).get(url).json()["results"][0]["mailed_at"] is None


def test_a_key_accepts_nothing(anyone, invite, make_key):
    _, secret = make_key(scopes=["admin"])
    invite()

    body = {"token": token_in(mail.outbox[0])}
    answer = anyone.post("/api/v1/invitations/accept", body, headers={"X-API-Key": secret})

    assert answer.status_code == 403


@pytest.mark.parametrize("email", ["", "x", "a@b", "a@b.c\n", None, 5, "x" * 300 + "@example.com"])
def test_a_bad_address(invite, email):
    assert invite(email).status_code == 400
    assert mail.outbox == []
