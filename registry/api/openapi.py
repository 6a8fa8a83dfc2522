"""The OpenAPI document of one version, as this installation serves it."""

from django.conf import settings
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import CanRead
from accounts.tenancy import organization_of
from registry.errors import NothingServes, VersionNotReady
from registry.models import ModelVersion
from registry.openapi import Described, document
from registry.serving import answering, find_model


class WhichSerializer(serializers.Serializer):
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)


class OpenAPIView(APIView):
    permission_classes = [CanRead]
    problems = {"get": (NothingServes, VersionNotReady)}

    @extend_schema(
        operation_id="get_model_openapi",
        tags=["models"],
        parameters=[OpenApiParameter("version", int, description="the champion by default")],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, model: str) -> Response:
        """An OpenAPI 3.1 document of this model alone: its columns, categories and labels."""
        asked = WhichSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        number = asked.validated_data.get("version")
        version = answering(find_model(organization_of(request), model), version=number)
        return Response(document(_described(version, is_champion=number is None)))


def _described(version: ModelVersion, *, is_champion: bool) -> Described:
    signature = version.checked_signature
    return Described(
        name=version.model.name,
        description=version.model.description,
        number=version.number,
        is_champion=is_champion,
        signature=signature,
        example=signature.example(version.golden.get("input", ())),
        ignores_unknown=version.model.ignores_unknown_columns,
        max_rows=settings.MAX_PREDICT_ROWS,
        site_url=settings.SITE_URL,
        path=reverse("api-predict", args=[version.model.name]),
    )
