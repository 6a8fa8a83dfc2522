"""The shapes of answers, for the documentation and for the log of predictions."""

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from inference.models import Prediction


class PredictSerializer(serializers.Serializer):
    """Rows in one of three ways; a row is an object of named values, or a list of them in order."""

    input = serializers.JSONField(required=False, help_text="one row")
    inputs = serializers.ListField(
        child=serializers.JSONField(), required=False, help_text="many rows"
    )
    columns = serializers.DictField(
        child=serializers.ListField(), required=False, help_text="many rows, a list for each column"
    )
    top_k = serializers.IntegerField(
        min_value=1, required=False, help_text="tell only so many of the likeliest classes"
    )


class WarningSerializer(serializers.Serializer):
    """Something that the model answers though it has not learned it."""

    pointer = serializers.CharField(help_text="where in the request")
    code = serializers.ChoiceField(["unseen_category"])
    detail = serializers.CharField()


class AnswerSerializer(serializers.Serializer):
    """`prediction` for one row, `predictions` for many; probabilities where the model has them."""

    prediction = serializers.JSONField(required=False)
    predictions = serializers.ListField(child=serializers.JSONField(), required=False)
    probabilities = serializers.JSONField(
        allow_null=True, help_text="class label to probability; a list of these for many rows"
    )
    model_id = serializers.UUIDField()
    model = serializers.CharField()
    model_version = serializers.IntegerField()
    cached = serializers.BooleanField(help_text="true when every row came from the cache")
    cached_rows = serializers.IntegerField(required=False, help_text="for many rows")
    prediction_id = serializers.UUIDField()
    latency_ms = serializers.FloatField()
    warnings = WarningSerializer(many=True, required=False, help_text="left out when there is none")


class PredictionSummarySerializer(serializers.ModelSerializer):
    class Meta:
        model = Prediction
        fields = [
            "id",
            "ts",
            "model_id",
            "version_id",
            "version_number",
            "user_id",
            "api_key_id",
            "request_id",
            "rows",
            "status",
            "error_code",
            "cached_rows",
            "latency_ms",
            "source",
        ]

    latency_ms = serializers.FloatField()


class PredictionSerializer(PredictionSummarySerializer):
    class Meta(PredictionSummarySerializer.Meta):
        fields = [*PredictionSummarySerializer.Meta.fields, "inputs", "outputs"]


_ANSWERED = {
    "model_id": "019a5f4e-7a10-7c3e-9d52-3f1b7c0a6e11",
    "model": "iris",
    "model_version": 1,
    "cached": False,
    "prediction_id": "019a5f50-1c44-7b0d-8a77-52e0d94c1f3a",
    "latency_ms": 1.284,
}
_ODDS = {"setosa": 0.98, "versicolor": 0.02, "virginica": 0.0}

EXAMPLES = [
    OpenApiExample(
        "One row, by name",
        {
            "input": {
                "sepal_length": 5.1,
                "sepal_width": 3.5,
                "petal_length": 1.4,
                "petal_width": 0.2,
            }
        },
        request_only=True,
    ),
    OpenApiExample(
        "One row, in the order of the columns", {"input": [5.1, 3.5, 1.4, 0.2]}, request_only=True
    ),
    OpenApiExample(
        "Many rows",
        {"inputs": [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]]},
        request_only=True,
    ),
    OpenApiExample(
        "Answer to one row",
        {"prediction": "setosa", "probabilities": _ODDS, **_ANSWERED},
        response_only=True,
        status_codes=["200"],
    ),
    OpenApiExample(
        "Answer to many rows",
        {
            "predictions": ["setosa", "versicolor"],
            "probabilities": [_ODDS, {"setosa": 0.01, "versicolor": 0.94, "virginica": 0.05}],
            **_ANSWERED,
            "cached_rows": 0,
        },
        response_only=True,
        status_codes=["200"],
    ),
]
