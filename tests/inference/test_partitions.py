from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from inference import drainer, prediction_log
from inference.models import Prediction
from inference.partitions import drop_partitions, ensure_partitions, partitions
from tests.inference.entries import make_entry

NOON = datetime(2031, 3, 14, 12, 0, tzinfo=UTC)


def where(prediction_id):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM inference_prediction WHERE id = %s",
            [prediction_id],
        )
        return cursor.fetchone()[0]


@pytest.fixture
def log(spool, db):
    def write(ts):
        entry = make_entry(ts=ts)
        prediction_log.append(entry)
        drainer.drain(spool)
        return entry.id

    return write


def test_it_works(log):
    made = ensure_partitions(NOON, days_ahead=1)

    assert made == ["inference_prediction_20310314", "inference_prediction_20310315"]
    assert where(log(NOON)) == "inference_prediction_20310314"
    assert where(log(NOON + timedelta(hours=12))) == "inference_prediction_20310315"


def test_a_second_time_makes_nothing(db):
    ensure_partitions(NOON)

    assert ensure_partitions(NOON) == []
    assert len(ensure_partitions(NOON + timedelta(days=1))) == 1


def test_the_day_is_utc_whatever_the_zone(db):
    evening_in_new_york = datetime(2031, 3, 14, 21, 0, tzinfo=ZoneInfo("America/New_York"))

    assert ensure_partitions(evening_in_new_york, days_ahead=0) == ["inference_prediction_20310315"]


def test_a_new_partition_takes_its_rows_from_the_default_one(log):
    early = log(NOON)
    other_day = log(NOON - timedelta(days=1))
    assert where(early) == "inference_prediction_default"

    ensure_partitions(NOON, days_ahead=0)

    assert where(early) == "inference_prediction_20310314"
    assert where(other_day) == "inference_prediction_default"


def test_new_partitions_have_the_indexes(db):
    ensure_partitions(NOON, days_ahead=0)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'inference_prediction_20310314'"
        )
        definitions = " ".join(definition for (definition,) in cursor.fetchall())
    for columns in ("(ts, id)", "(organization_id, ts)", "(version_id, ts)", "brin (ts)"):
        assert columns in definitions


def test_dropping_keeps_the_days_that_have_not_ended_before(log):
    ensure_partitions(NOON, days_ahead=2)
    dropped, kept = log(NOON), log(NOON + timedelta(days=1))
    in_default = log(datetime(2019, 1, 1, tzinfo=UTC))

    names = drop_partitions(older_than=NOON + timedelta(days=1))

    # Days that another test has made may be among them: they are in the past of 2031.
    assert "inference_prediction_20310314" in names
    assert "inference_prediction_20310315" not in names
    assert "inference_prediction_20310314" not in partitions()
    assert not Prediction.objects.filter(id__in=[dropped, in_default]).exists()
    assert Prediction.objects.filter(id=kept).exists()
