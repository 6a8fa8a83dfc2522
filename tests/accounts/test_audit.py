"""What is written down, how it reads, and that it stays."""

import ast
import string
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils.timezone import now, timedelta

from accounts import audit
from accounts.audit_verbs import SENTENCES, sentence_for
from accounts.models import AuditEvent
from mlplatform.foundation import request_facts

ROOT = Path(__file__).parents[2]


@pytest.fixture
def event(alice, organization):
    return audit.record(
        organization=organization,
        by=alice,
        verb="version.promoted",
        target="iris v3",
        detail={"version": 3, "model": "iris", "alias": "champion"},
    )


def test_it_works(alice, organization, event):
    event.refresh_from_db()

    assert event.organization_id == organization.pk
    assert event.actor_id == alice.pk
    assert str(event) == "Alice (alice@example.com) promoted version 3 of iris to champion"
    assert (event.ip, event.request_id, event.api_key) == (None, "", "")


def test_it_knows_the_request(alice, organization):
    token = request_facts.begin(request_id="request-1", ip="192.0.2.7")
    request_facts.note_api_key("abcd1234")
    try:
        event = audit.record(organization=organization, by=alice, verb="key.revoked", target="ci")
    finally:
        request_facts.end(token)

    assert (event.ip, event.request_id, event.api_key) == ("192.0.2.7", "request-1", "abcd1234")
    assert request_facts.current() == request_facts.RequestFacts()


def test_a_row_is_remembered_by_its_id_and_its_name_then(alice, bob, organization):
    event = audit.record(organization=organization, by=None, verb="member.left", target=bob)

    assert (event.target_type, event.target_id) == ("user", str(bob.pk))
    assert str(event) == "Bob (bob@example.com) left"
    assert (event.actor_id, event.actor_label) == (None, "The platform")


def refused(sql, *parameters):
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql, parameters)


def test_the_database_refuses_changes(event):
    refused("UPDATE accounts_auditevent SET verb = 'key.created' WHERE id = %s", event.pk)
    refused("DELETE FROM accounts_auditevent WHERE id = %s", event.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEvent.objects.update(actor_label="Mallory")
    with pytest.raises(IntegrityError), transaction.atomic():
        event.delete()

    event.refresh_from_db()
    assert event.verb == "version.promoted"


def test_it_outlives_organization_and_actor(alice, organization, event):
    her_id = alice.pk
    organization.delete()
    alice.delete()

    kept = AuditEvent.objects.get(pk=event.pk)
    assert kept.actor_label == "Alice (alice@example.com)"
    assert kept.actor_id == her_id


def test_it_goes_with_its_transaction(alice, organization):
    with transaction.atomic():
        audit.record(organization=organization, by=alice, verb="member.left", target=alice)
        transaction.set_rollback(True)

    assert not AuditEvent.objects.filter(verb="member.left").exists()


def test_operators_let_old_events_go(alice, organization, event, capsys):
    old = AuditEvent.objects.create(
        organization=organization,
        actor=alice,
        actor_label="Alice",
        verb="key.created",
        target_label="ci",
        created_at=now() - timedelta(days=400),
    )

    call_command("trim_audit", older_than_days=365)

    assert not AuditEvent.objects.filter(pk=old.pk).exists()
    assert AuditEvent.objects.filter(pk=event.pk).exists()
    trimmed = AuditEvent.objects.get(verb="operator.audit_trimmed")
    assert trimmed.detail["count"] == 1
    refused("DELETE FROM accounts_auditevent WHERE id = %s", event.pk)


def test_an_operator_keeps_the_last_month(db):
    with pytest.raises(Exception, match="30"):
        call_command("trim_audit", older_than_days=3)


@pytest.mark.parametrize("verb", SENTENCES)
def test_every_verb_reads_as_a_sentence(verb):
    names = [name for _, name, _, _ in string.Formatter().parse(SENTENCES[verb]) if name]

    assert all(name.isidentifier() for name in names)
    assert "?" not in sentence_for(verb, dict.fromkeys(names, "x"))


def test_a_label_is_no_template():
    assert sentence_for("member.left", {"target": "{actor.__class__}"}) == "{actor.__class__} left"


def verbs_in_code():
    for app in ("accounts", "registry", "inference", "jobs", "mlplatform"):
        for path in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.keyword(arg="verb", value=ast.Constant(value=verb)):
                        yield verb


def test_every_verb_used_has_a_sentence():
    assert set(verbs_in_code()) - set(SENTENCES) == set()
