"""OpenAPI: every operation says that its errors are problem+json."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from mlplatform.api import PROBLEM_JSON


class FaultSerializer(serializers.Serializer):
    pointer = serializers.CharField(help_text="JSON pointer into the request")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """RFC 9457, with a stable code and the request's id."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="stable: programs may depend on it")
    request_id = serializers.CharField()
    errors = FaultSerializer(many=True, required=False)


class ProblemAutoSchema(AutoSchema):
    """Adds the problem answer to what each view documents."""

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        bodies.setdefault(
            "default",
            self._get_response_for_code(ProblemSerializer, "default", [PROBLEM_JSON], direction),
        )
        return bodies
