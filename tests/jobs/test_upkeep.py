from datetime import UTC, datetime, timedelta

import pytest
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

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


@pytest.fixture
def make_token(alice):
    def make(name, expires_at):
        return OutstandingToken.objects.create(
            user=alice, jti=name, token=name, created_at=NOON, expires_at=expires_at
        )

    return make


def test_expired_tokens_go_with_their_blacklisting(make_token):
    expired = make_token("expired", NOON)
    living = make_token("living", NOON + timedelta(seconds=1))
    for token in (expired, living):
        BlacklistedToken.objects.create(token=token)

    assert upkeep.flush_expired_tokens(at=NOON) == 1

    assert list(OutstandingToken.objects.all()) == [living]
    assert BlacklistedToken.objects.get().token == living
