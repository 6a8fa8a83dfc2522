"""Everything that changes who may do what, or what answers, leaves an event."""

from allauth.core import context
from django.core.management import call_command
from django.utils.timezone import now

from accounts.adapter import AccountAdapter
from accounts.deletion import delete_account
from accounts.models import AuditEvent, Membership
from registry import admission
from tests.factories import dumped, make_ready_version, make_version, uploaded_file


def sentences(**of):
    return [str(event) for event in AuditEvent.objects.filter(**of).newest_first()]


def newest():
    return AuditEvent.objects.newest_first()[0]


def test_signing_up(anyone):
    body = {"email": "dora@example.com", "password": "a-fine-Passphrase-7", "full_name": "Dora"}
    anyone.post("/api/v1/auth/register", body)

    home = Membership.objects.get(user__email="dora@example.com").organization
    assert sentences(organization=home) == ["Dora (dora@example.com) signed up"]


def test_signing_in(anyone, alice, password):
    body = {"email": "Alice@example.com", "password": password}
    anyone.post(
        "/api/v1/auth/login", body, REMOTE_ADDR="192.0.2.7", headers={"X-Request-Id": "my-request"}
    )

    event = newest()
    assert str(event) == "Alice (alice@example.com) signed in"
    assert (event.ip, event.request_id) == ("192.0.2.7", "my-request")
    assert event.organization_id is None
    assert AuditEvent.objects.of_account(alice).count() == 1


def test_failing_to_sign_in(anyone, alice):
    for email in ("alice@example.com", "nobody@example.com"):
        anyone.post("/api/v1/auth/login", {"email": email, "password": "guess"})

    assert sentences(verb="account.sign_in_failed") == [
        "Somebody failed to sign in as an unknown address",
        "Somebody failed to sign in as Alice (alice@example.com)",
    ]
    assert AuditEvent.objects.of_account(alice).count() == 1


def test_keys(alice, client_of, organization):
    client = client_of(alice)
    made = client.post("/api/v1/keys", {"name": "ci"}).json()
    client.delete(f"/api/v1/keys/{made['id']}")
    client.delete(f"/api/v1/keys/{made['id']}")

    label = f"ci ({made['prefix']}_…)"
    assert sentences(organization=organization, target_type="apikey") == [
        f"Alice (alice@example.com) revoked the API key {label}",
        f"Alice (alice@example.com) created the API key {label}",
    ]
    assert made["key"] not in str(list(AuditEvent.objects.values()))


def test_what_a_key_does_names_the_key(anyone, make_key, organization):
    key, secret = make_key()
    anyone.post(
        "/api/v1/models/upload",
        {"file": uploaded_file(b"x"), "name": "iris", "model_type": "sklearn"},
        format="multipart",
        HTTP_X_API_KEY=secret,
    )

    event = newest()
    assert str(event) == "Alice (alice@example.com) uploaded version 1 of iris"
    assert event.api_key == key.prefix


def test_models(alice, bob, client_of, organization):
    make_ready_version(organization, alice)
    make_ready_version(organization, alice)
    client = client_of(bob)
    client.put("/api/v1/models/iris/aliases/champion", {"version": 2})
    client.put("/api/v1/models/iris/aliases/mine", {"version": 1})
    client.delete("/api/v1/models/iris/aliases/mine")
    client.patch("/api/v1/models/iris", {"description": "Flowers"})
    client.delete("/api/v1/models/iris")

    bob = "Bob (bob@example.com)"
    alice = "Alice (alice@example.com)"
    assert sentences(organization=organization, verb__regex="^(model|version|alias)") == [
        f"{bob} took the model iris out of service",
        f"{bob} changed the description of iris",
        f"{bob} removed the alias mine of iris",
        f"{bob} promoted version 1 of iris to mine",
        f"{bob} promoted version 2 of iris to champion",
        "Version 2 of iris passed admission",
        f"{alice} uploaded version 2 of iris",
        "The platform promoted version 1 of iris to champion",
        "Version 1 of iris passed admission",
        f"{alice} uploaded version 1 of iris",
    ]


def test_a_rejection(alice, organization):
    version = make_version(organization, alice, content=dumped({"not": "a model"}))
    admission.admit(version.pk, at=now())

    assert str(newest()).startswith("Version 1 of iris was rejected: ")


def test_an_operator(alice):
    call_command("createoperator", email="alice@example.com", password="a-fine-Passphrase-7")
    call_command("createoperator", email="alice@example.com", password="a-fine-Passphrase-7")

    assert sentences(target_id=str(alice.pk), actor=None) == [
        "The platform made Alice (alice@example.com) an operator",
        "The platform changed the password of Alice (alice@example.com)",
    ]


def test_leaving_by_deleting_ones_account(bob, organization):
    delete_account(bob, at=now())

    assert sentences(organization=organization, verb="member.left") == [
        "Bob (bob@example.com) left"
    ]
    assert sentences(verb="account.deleted")[0].startswith("Bob (bob@example.com) deleted")


def test_a_second_factor(alice, rf):
    """As allauth.mfa tells of each change."""
    request = rf.get("/")
    with context.request_context(request):
        AccountAdapter(request).send_notification_mail("mfa/email/totp_activated", alice)

    event = newest()
    assert str(event) == (
        "Alice (alice@example.com) changed the second factor of Alice (alice@example.com)"
    )
    assert event.detail == {"change": "totp_activated"}
