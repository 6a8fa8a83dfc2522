"""An upload beside another one, and beside a delete of its model"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.utils.timezone import now

from registry import admission
from registry.catalogue import delete_model
from registry.models import RegisteredModel
from tests.factories import make_version

pytestmark = pytest.mark.django_db(transaction=True)


def apart(*calls):
    """Each in a thread with a connection of its own. What they give."""

    def run(call):
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(30) for future in [pool.submit(run, call) for call in calls]]


def test_uploads_at_once_take_different_numbers(alice, organization):
    def upload():
        return make_version(organization, alice, content=b"bytes").number

    assert sorted(apart(*[upload] * 6)) == [1, 2, 3, 4, 5, 6]


def test_an_upload_beside_a_delete_is_in_a_model_that_lives(alice, organization):
    for _ in range(8):
        model = make_version(organization, alice, content=b"bytes").model

        def upload():
            return make_version(organization, alice, content=b"other bytes")

        def delete(model=model):
            delete_model(model, by=alice, at=now())

        version, _ = apart(upload, delete)

        # Either it was there first and went with the model, or it began a new one.
        model.refresh_from_db()
        version.model.refresh_from_db()
        assert model.deleted_at is not None
        assert version.model == model or version.model.deleted_at is None
        if version.model != model:
            assert version.number == 1
            delete_model(version.model, by=alice, at=now())


def test_an_upload_that_waited_for_a_delete_begins_anew(alice, organization):
    """The delete commits while the upload waits for the model's row."""
    first = make_version(organization, alice, content=b"bytes")

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            RegisteredModel.objects.select_for_update().get(pk=first.model_id)
            waiting = pool.submit(_uploaded, organization, alice)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            delete_model(first.model, by=alice, at=now())
        version = waiting.result(30)

    assert version.number == 1
    assert version.model_id != first.model_id
    assert version.model.deleted_at is None


def _uploaded(organization, by):
    try:
        return make_version(organization, by, content=b"bytes")
    finally:
        connection.close()


def test_a_model_deleted_during_admission_gets_no_champion(alice, organization, monkeypatch):
    version = make_version(organization, alice)
    judge = admission.judge

    def meanwhile(*arguments, **options):
        delete_model(version.model, by=alice, at=now())
        return judge(*arguments, **options)

    monkeypatch.setattr(admission, "judge", meanwhile)
    admission.admit(version.pk, at=now())

    version.refresh_from_db()
    assert version.status == "ready"
    assert not version.model.aliases.exists()
