"""What is not opened until an operator has decided, from the upload to the decision"""

import os
import pickle

import pytest
from django.test import override_settings
from django.utils.timezone import now

from accounts.models import AuditEvent
from registry import admission, quarantine
from registry.errors import VersionNotReady
from registry.models import ImportRule
from registry.promotion import promote
from registry.sandbox import Runner
from tests.factories import make_ready_version, make_version
from tests.registry.test_admit import Payload

HELD = {"dangerous": "quarantine", "unknown": "open"}


@pytest.fixture
def operator(charlie):
    charlie.make_operator()
    return charlie


@pytest.fixture
def rule(operator):
    def make(pattern, verdict, note=""):
        return ImportRule.objects.create(
            pattern=pattern, verdict=verdict, note=note, created_by=operator
        )

    return make


def admitted(version):
    admission.admit(version.pk, at=now())
    version.refresh_from_db()
    return version


@pytest.fixture
def held(alice, organization, rule):
    rule("sklearn.*", "quarantine")
    version = admitted(make_version(organization, alice))
    assert version.status == "quarantined"
    return version


def test_it_works(alice, organization, operator, held, client_of):
    told = client_of(alice).get("/api/v1/models/iris/versions/1").json()
    assert (told["status"], told["reason_code"]) == ("quarantined", "import_rule")
    assert "It imports sklearn.pipeline.Pipeline" in told["reason"]
    assert told["reason"].endswith("It has not been opened: an operator of this platform decides.")
    assert told["scan"]["imports"] == held.scan["imports"] != []
    assert [step["state"] for step in told["steps"][:3]] == ["done", "waiting", "waiting"]

    quarantine.release(held, by=operator, at=now())
    assert admitted(held).status == "ready"

    sentences = [str(event) for event in AuditEvent.objects.filter(verb__startswith="version.")]
    assert "Charlie (charlie@example.com) released version 1 of iris from quarantine" in sentences
    assert any(s.startswith("Version 1 of iris was put into quarantine: It") for s in sentences)


def test_nothing_opens_it(alice, organization, held, client_of, monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("opened")

    monkeypatch.setattr(Runner, "inspect", fail)
    monkeypatch.setattr(Runner, "host", fail)
    monkeypatch.setattr(Runner, "fresh_host", fail)

    assert admitted(held).status == "quarantined"
    client = client_of(alice)
    for query in ("", "?version=1"):
        refused = client.post(f"/api/v1/predict/iris{query}", {"input": [1, 2, 3, 4]})
        assert refused.status_code == 409
        assert "in quarantine" in refused.json()["detail"]


def test_it_cannot_be_promoted(alice, held):
    with pytest.raises(VersionNotReady, match="quarantine"):
        promote(held, alias="champion", by=alice, at=now())

    assert not held.model.aliases.exists()


def test_an_operator_rejects_it_with_a_reason(alice, operator, held, client_of):
    quarantine.refuse(held, reason="Please train without mypackage.", by=operator, at=now())

    told = client_of(alice).get("/api/v1/models/iris/versions/1").json()
    assert (told["status"], told["reason_code"]) == ("rejected", "refused_by_operator")
    assert told["reason"].endswith("has rejected it: Please train without mypackage.")
    assert told["steps"][1]["state"] == "failed"


@pytest.mark.parametrize("act", ["release", "refuse"])
def test_only_what_is_in_quarantine_is_decided(alice, organization, operator, act):
    version = make_ready_version(organization, alice)
    options = {"reason": "x"} if act == "refuse" else {}

    with pytest.raises(VersionNotReady):
        getattr(quarantine, act)(version, by=operator, at=now(), **options)

    version.refresh_from_db()
    assert version.status == "ready"


def test_a_denied_import_is_rejected_with_the_note(alice, organization, rule):
    rule("sklearn.linear_model.*", "deny", "use gradient boosting")

    version = admitted(make_version(organization, alice))

    assert (version.status, version.reason_code) == ("rejected", "import_denied")
    assert "(use gradient boosting)" in version.reason
    assert version.steps[1]["state"] == "failed"


def test_a_release_does_not_undo_a_denial(alice, organization, operator, held, rule):
    quarantine.release(held, by=operator, at=now())
    rule("sklearn.linear_model.*", "deny")

    assert admitted(held).reason_code == "import_denied"


def test_what_is_dangerous_is_rejected_unopened(alice, organization, monkeypatch):
    monkeypatch.setattr(Runner, "inspect", None)
    content = pickle.dumps(Payload(os.system, "true"))

    version = admitted(make_version(organization, alice, content=content))

    assert (version.status, version.reason_code) == ("rejected", "hostile")
    assert "posix.system" in version.reason


def test_what_is_dangerous_may_be_quarantined(alice, organization, operator):
    content = pickle.dumps(Payload(os.system, "true"))
    with override_settings(SCAN_POLICY=HELD):
        version = admitted(make_version(organization, alice, content=content))
        assert (version.status, version.reason_code) == ("quarantined", "suspicious")

        quarantine.release(version, by=operator, at=now())
        # The child that opens it has a list of its own, which no rule reaches.
        assert admitted(version).reason_code == "hostile"


def test_what_only_opening_shows_is_judged_too(alice, organization, rule, monkeypatch):
    rule("hidden.*", "deny")
    inspect = Runner.inspect

    def tell(*arguments, **options):
        told = inspect(*arguments, **options)
        told.report["scan"]["imports"].append("hidden.Model")
        return told

    monkeypatch.setattr(Runner, "inspect", tell)

    version = admitted(make_version(organization, alice))

    assert version.reason_code == "import_denied"
    assert version.steps[2]["state"] == "failed"


# --- in the administration ------------------------------------------------------


def act(client, action, version, **fields):
    body = {"action": action, "_selected_action": [str(version.pk)], **fields}
    return client.post("/admin/registry/modelversion/", body)


def test_the_administration_asks_before_it_releases(client, operator, held):
    client.force_login(operator)

    asked = act(client, "release", held)
    held.refresh_from_db()
    assert (asked.status_code, held.status) == (200, "quarantined")
    assert "sklearn.pipeline.Pipeline" in asked.content.decode()

    assert act(client, "release", held, confirmed="yes").status_code == 302
    held.refresh_from_db()
    assert held.status == "pending"
    assert AuditEvent.objects.get(verb="version.released").actor == operator


def test_the_administration_wants_a_reason(client, operator, held):
    client.force_login(operator)

    assert act(client, "refuse", held, confirmed="yes").status_code == 200
    held.refresh_from_db()
    assert held.status == "quarantined"

    act(client, "refuse", held, confirmed="yes", reason="No.")
    held.refresh_from_db()
    assert (held.status, held.reason) == (
        "rejected",
        "An operator of this platform has rejected it: No.",
    )


def test_rules_are_made_in_the_administration(client, operator):
    client.force_login(operator)
    body = {"pattern": "mypackage.*", "verdict": "deny", "note": "no"}

    assert client.post("/admin/registry/importrule/add/", body).status_code == 302
    made = ImportRule.objects.get()
    assert (made.pattern, made.created_by) == ("mypackage.*", operator)
    assert AuditEvent.objects.get(verb="operator.added").target_label == "deny mypackage.*"


@pytest.mark.parametrize("pattern", ["my*", ".*", "a..b", "a.*.b", "a b", "", "1a", "a.*"])
def test_a_rule_has_a_pattern_that_can_fit(client, operator, rule, pattern):
    rule("a.*", "deny")
    client.force_login(operator)
    body = {"pattern": pattern, "verdict": "deny"}

    assert client.post("/admin/registry/importrule/add/", body).status_code == 200
    assert ImportRule.objects.count() == 1
