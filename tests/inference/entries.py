"""Lines of the prediction log, made up."""

from uuid import UUID

from inference.prediction_log import Entry
from mlplatform.foundation.uuid7 import created_at, uuid7


def make_entry(**changes):
    prediction_id = uuid7()
    fields = {
        "id": prediction_id,
        "ts": created_at(prediction_id),
        "organization_id": UUID(int=1),
        "model_id": UUID(int=2),
        "version_id": UUID(int=3),
        "version_number": 1,
        "user_id": UUID(int=4),
        "api_key_id": None,
        "request_id": "a-request",
        "rows": 1,
        "status": "ok",
        "error_code": "",
        "cached_rows": 0,
        "latency_us": 1234,
        "inputs": [{"x0": 1.5}],
        "outputs": {"predictions": [42.0]},
        "source": "api",
    }
    return Entry(**{**fields, **changes})
