"""Hostile files through a whole admission: the row has a reason, and the next upload is served."""

import os

import pytest
from django.test import override_settings
from django.utils.timezone import now

from accounts.models import AuditEvent
from registry import admission
from tests import hostile
from tests.factories import make_version
from tests.hostile.bytes import Bait

FILES = hostile.corpus(
    hostile.REFUSED + hostile.LYING + hostile.ENDLESS, Bait("/nowhere", "/nowhere", 1)
)
CODES = {
    "protocol 4": "hostile",
    "in a compressed object array": "hostile",
    "a gzip bomb": "too_large",
    "an array of 10^13": "out_of_memory",
    "a loop without signals": "model_timed_out",
    "a segmentation fault": "model_crashed",
    "makes folders": "unreadable",
    "announces too long an answer": "bad_reply",
    "claims a graph that is none": "bad_reply",
    "reports rubbish": "bad_reply",
    "a million classes": "bad_reply",
    "MLflow that climbs": "unreadable",
    "skops: a function node": "type_not_allowed",
    "XGBoost: a cycle": "model_crashed",
}


@pytest.mark.parametrize("name", CODES)
def test_it_is_rejected_and_the_next_one_is_served(alice, organization, name):
    with override_settings(ADMISSION_DEADLINE_SECONDS=4.0):
        version = _admitted(make_version(organization, alice, content=FILES[name]))
    after = _admitted(make_version(organization, alice, name="honest"))

    assert version.status == "rejected"
    assert version.reason_code == CODES[name], version.reason
    assert version.reason.isprintable()
    assert 0 < len(version.reason) <= 1000
    assert AuditEvent.objects.filter(verb="version.rejected").count() == 1
    assert after.status == "ready"
    assert not os.path.exists("/nowhere")


def _admitted(version):
    admission.admit(version.pk, at=now())
    version.refresh_from_db()
    return version
