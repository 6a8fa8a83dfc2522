"""PATCH /api/v1/models/{model}/versions/{number} {"status": …}"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils.timezone import now

from accounts.models import AuditEvent
from registry.errors import RegistryProblem
from registry.lifecycle import change_version
from registry.models import ModelVersion
from registry.promotion import promote
from tests.factories import SETOSA, make_ready_version, make_version


@pytest.fixture
def versions(alice, organization):
    """Version 1 is the champion, version 2 waits for a promote."""
    return [make_ready_version(organization, alice) for _ in range(2)]


@pytest.fixture
def change(alice, client_of):
    client = client_of(alice)

    def make(number, status):
        return client.patch(f"/api/v1/models/iris/versions/{number}", {"status": status})

    return make


def test_it_works(alice, versions, change, client_of):
    for status in ("deprecated", "archived", "ready"):
        answer = change(2, status)
        assert (answer.status_code, answer.json()["status"]) == (200, status)

    events = AuditEvent.objects.filter(target_id=str(versions[1].pk), actor=alice)
    assert [event.verb for event in events.newest_first()][:3] == [
        "version.restored",
        "version.archived",
        "version.deprecated",
    ]


def test_a_deprecated_version_answers_and_an_archived_one_does_not(
    alice, versions, change, client_of
):
    client = client_of(alice)

    def ask():
        return client.post("/api/v1/predict/iris?version=2", {"input": SETOSA})

    change(2, "deprecated")
    assert ask().status_code == 200

    change(2, "archived")
    assert (ask().status_code, ask().json()["detail"]) == (409, "Version 2 is archived.")


def test_what_an_alias_points_at_is_not_archived(versions, change):
    answer = change(1, "archived")

    assert (answer.status_code, answer.json()["code"]) == (409, "version_in_use")
    assert answer.json()["detail"].startswith("iris v1 is champion; point that")
    versions[0].refresh_from_db()
    assert versions[0].status == "ready"


def test_an_archived_version_is_not_promoted(alice, versions, change, client_of):
    change(2, "archived")

    answer = client_of(alice).put("/api/v1/models/iris/aliases/champion", {"version": 2})

    assert (answer.status_code, answer.json()["code"]) == (409, "version_not_ready")


def test_what_answers_otherwise_stays_archived(versions, change):
    change(2, "archived")
    ModelVersion.objects.filter(number=2).update(
        golden={**versions[1].golden, "predict": "virginica"}
    )

    assert change(2, "ready").json()["code"] == "answers_otherwise"
    versions[1].refresh_from_db()
    assert versions[1].status == "archived"


def test_a_version_that_waits_has_no_lifecycle(alice, organization, change):
    make_version(organization, alice)

    assert change(1, "archived").json()["code"] == "version_not_ready"


@pytest.mark.parametrize("status", ["rejected", "pending", "quarantined", "", None])
def test_other_states_are_not_for_callers(versions, change, status):
    assert change(2, status).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_a_promote_beside_an_archive_leaves_no_alias_on_an_archived_version(alice, organization):
    make_ready_version(organization, alice)
    second = make_ready_version(organization, alice)
    for _ in range(6):
        ModelVersion.objects.filter(pk=second.pk).update(status="ready")
        second.model.aliases.filter(name="next").delete()

        def promote_it():
            promote(version_of(second), alias="next", by=alice, at=now())

        def archive_it():
            change_version(version_of(second), by=alice, status="archived")

        refused = apart(promote_it, archive_it)

        second.refresh_from_db()
        points = second.model.aliases.filter(name="next").exists()
        assert (second.status, points) in [("archived", False), ("ready", True)]
        assert sum(refused) == 1


def version_of(version):
    return ModelVersion.objects.select_related("model__organization").get(pk=version.pk)


def apart(*calls):
    """Each in a thread with a connection of its own. Whether it was refused."""

    def is_refused(call):
        try:
            call()
        except RegistryProblem:
            return True
        finally:
            connection.close()
        return False

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(30) for future in [pool.submit(is_refused, c) for c in calls]]
