"""How much was predicted: what monthly quotas begin with when nobody has counted yet."""

from datetime import datetime
from uuid import UUID

from django.db.models import Sum

from accounts import quotas
from inference.models import Prediction


def rows_since(organization_id: UUID, api_key_id: UUID | None, since: datetime) -> int:
    """Rows in the log; of one key, or of the whole organization (None)."""
    predictions = Prediction.objects.filter(organization_id=organization_id).since(since)
    if api_key_id is not None:
        predictions = predictions.filter(api_key_id=api_key_id)
    return predictions.aggregate(rows=Sum("rows"))["rows"] or 0


quotas.count_with(rows_since)
