from datetime import UTC, datetime, timedelta

from accounts.models import TokenFamily
from inference.partitions import partitions
from jobs import upkeep

NOON = datetime(2031, 3, 14, 12, 0, tzinfo=UTC)


def test_partitions_are_made_a_week_ahead(db):
    made = upkeep.make_prediction_partitions(at=NOON)

    assert made == [f"inference_prediction_203103{day}" for day in range(14, 22)]
    assert upkeep.make_prediction_partitions(at=NOON) == []


def test_old_days_are_dropped(db, settings):
    settings.PREDICTION_RETENTION_DAYS = 2
    upkeep.make_prediction_partitions(at=NOON)

    dropped = upkeep.drop_old_predictions(at=NOON + timedelta(days=4))

    assert set(dropped) >= {"inference_prediction_20310314", "inference_prediction_20310315"}
    assert "inference_prediction_20310316" in partitions()


def test_expired_families_of_tokens_go(alice):
    expired, living = (
        TokenFamily.objects.create(user=alice, refresh_jti=name, expires_at=until)
        for name, until in (("a", NOON), ("b", NOON + timedelta(seconds=1)))
    )

    assert upkeep.flush_expired_tokens(at=NOON) == 1
    assert list(TokenFamily.objects.all()) == [living]
    assert expired != living
