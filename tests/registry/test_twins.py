"""The same bytes uploaded twice are opened once, within one organization"""

import pytest
from django.core.files.storage import default_storage
from django.utils.timezone import now
from sklearn.linear_model import LogisticRegression

from registry import admission
from registry.artifacts import name_of
from registry.models import ImportRule, ModelVersion
from registry.sandbox import Runner
from tests.factories import dumped, make_ready_version, make_version

KEPT = ("signature", "graph_digest", "parity", "golden", "scan", "format", "runtime",
        "checked_with")  # fmt: skip


@pytest.fixture
def opened(monkeypatch):
    """How often an artifact was scanned or opened."""
    count = []
    for name in ("scan", "inspect"):
        real = getattr(Runner, name)

        def counted(*arguments, real=real, name=name, **options):
            count.append(name)
            return real(*arguments, **options)

        monkeypatch.setattr(Runner, name, counted)
    return count


def admitted(version):
    admission.admit(version.pk, at=now())
    version.refresh_from_db()
    return version


def test_it_works(alice, bob, organization, opened):
    first = make_ready_version(organization, alice)
    opened.clear()

    second = make_ready_version(organization, bob, name="copy")

    assert opened == []
    for name in KEPT:
        assert getattr(second, name) == getattr(first, name)
    assert second.facts["final"] == "LogisticRegression"
    assert second.facts["admission_seconds"] < first.facts["admission_seconds"]
    assert [step["state"] for step in second.steps] == ["done", "done", *["skipped"] * 5]
    assert second.steps[2]["note"] == "as found in iris v1, which has the same bytes"
    assert second.model.aliases.get().version == second


def test_another_organization_has_it_opened_again(alice, charlie, organization, opened):
    make_ready_version(organization, alice)
    opened.clear()

    theirs = make_ready_version(charlie.organizations.get(), charlie)

    assert opened == ["scan", "inspect"]
    assert "iris v1, which" not in str(theirs.steps)


@pytest.mark.parametrize(
    "changed",
    [
        {"checked_with": {"scikit-learn": "1.0"}},
        {"checked_with": {}},
        {"sample_digest": "a" * 64},
        {"expected_column": "answer"},
        {"status": "archived"},
    ],
    ids=str,
)
def test_what_was_found_otherwise_does_not_count(alice, organization, opened, changed):
    first = make_ready_version(organization, alice)
    ModelVersion.objects.filter(pk=first.pk).update(**changed)
    opened.clear()

    make_ready_version(organization, alice)

    assert opened == ["scan", "inspect"]


def test_a_graph_that_is_gone_is_made_again(alice, organization, opened, stored):
    first = make_ready_version(organization, alice)
    default_storage.delete(name_of(first.graph_digest))

    second = make_ready_version(organization, alice)

    assert stored(name_of(second.graph_digest))


def test_a_rule_of_today_holds_for_what_was_found_yesterday(alice, organization, charlie):
    make_ready_version(organization, alice)
    ImportRule.objects.create(pattern="sklearn.*", verdict="deny", created_by=charlie)

    assert admitted(make_version(organization, alice)).reason_code == "import_denied"


def test_two_workers_at_once_find_the_same(alice, organization, monkeypatch):
    one, other = make_version(organization, alice), make_version(organization, alice)
    inspect = Runner.inspect

    def meanwhile(*arguments, **options):
        monkeypatch.setattr(Runner, "inspect", inspect)
        admitted(other)
        return inspect(*arguments, **options)

    monkeypatch.setattr(Runner, "inspect", meanwhile)
    admitted(one)
    other.refresh_from_db()

    assert (one.status, other.status) == ("ready", "ready")
    assert one.graph_digest == other.graph_digest
    assert one.model.aliases.get().version == other  # which was ready first


def test_the_stored_bytes_are_looked_at_all_the_same(alice, organization):
    model = LogisticRegression().fit([[0.0], [1.5]], [0, 1])  # of this test alone
    first = make_ready_version(organization, alice, model=model)
    second = make_version(organization, alice, content=dumped(model))
    with open(default_storage.path(name_of(first.digest)), "ab") as file:
        file.write(b"x")

    assert (admitted(second).status, second.reason_code) == ("pending", "artifact_corrupt")
    assert second.steps[1]["state"] == "waiting"
