"""OpenAPI: every operation says that its errors are problem+json."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers
from rest_framework.permissions import AllowAny

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
    """Adds to what each view documents the problems that any view of its kind may answer.

    A view names its own in `problems`: {"post": (NothingServes, InvalidInput)}.
    """

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        for status, described in sorted(self._problems().items()):
            bodies.setdefault(str(int(status)), self._problem(described, direction))
        bodies.setdefault("default", self._problem("any other error", direction))
        return bodies

    def _problem(self, description: str, direction: str) -> dict[str, Any]:
        answer = OpenApiResponse(ProblemSerializer, description)
        return self._get_response_for_code(answer, "default", [PROBLEM_JSON], direction)

    def _problems(self) -> dict[int, str]:
        return {status: HTTPStatus(status).phrase for status in self._usual()} | self._own()

    def _usual(self) -> set[int]:
        statuses = {400, 406, 429, 503}
        if not _is_open(self.view):
            # 404: an organization in X-Organization that is not the caller's.
            statuses |= {401, 403, 404}
        if self.method != "GET":  # open ones take other credentials in their body
            statuses |= {401, 409}
        if self.method in ("POST", "PUT", "PATCH"):
            statuses |= {413, 415}
        if "{" in self.path:
            statuses.add(404)
        return statuses

    def _own(self) -> dict[int, str]:
        told: dict[int, list[str]] = {}
        for cls in getattr(self.view, "problems", {}).get(self.method.lower(), ()):
            told.setdefault(int(cls.status), []).append(f"{cls.title} (`{cls.code}`)")
        return {status: "; ".join(sentences) for status, sentences in told.items()}


def _is_open(view: Any) -> bool:
    return any(isinstance(permission, AllowAny) for permission in view.get_permissions())
