"""The JSON API for models, versions and aliases."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import CanDeploy, CanRead
from accounts.tenancy import organization_of
from registry.api import serializers
from registry.catalogue import delete_model, describe_model
from registry.errors import InvalidName
from registry.lifecycle import change_version
from registry.models import CHAMPION, ModelVersion, RegisteredModel, RegisteredModelQuerySet
from registry.promotion import promote, remove_alias
from registry.serving import find_model, find_version
from registry.upload_limit import UploadLimit
from registry.uploads import upload_version

ORDERS = ("name", "-name", "created_at", "-created_at", "updated_at", "-updated_at")


class _ReadOrDeploy(APIView):
    """Reading needs less than changing."""

    def get_permissions(self) -> list[BasePermission]:
        return [CanRead() if self.request.method in ("GET", "HEAD", "OPTIONS") else CanDeploy()]


class UploadView(APIView):
    permission_classes = [CanDeploy]
    parser_classes = [MultiPartParser]
    max_body_bytes = None  # counted as it comes

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        limit = UploadLimit(request, settings.MAX_ARTIFACT_BYTES, sample=settings.MAX_SAMPLE_BYTES)
        request.upload_handlers.insert(0, limit)
        return super().initialize_request(request, *args, **kwargs)

    @extend_schema(
        operation_id="upload_model",
        tags=["models"],
        request={"multipart/form-data": serializers.UploadSerializer},
        responses={202: serializers.UploadedSerializer},
    )
    def post(self, request: Request) -> Response:
        """Upload a model. It is admitted in the background: follow `status_url`."""
        asked = serializers.UploadSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        version = upload_version(
            organization=organization_of(request),
            by=request.user,
            at=now(),
            **asked.validated_data,
        )

        answer = serializers.UploadedSerializer(version).data
        headers = {"Location": answer["status_url"]}
        return Response(answer, status=status.HTTP_202_ACCEPTED, headers=headers)


class ModelsView(GenericAPIView):
    permission_classes = [CanRead]
    serializer_class = serializers.ModelSerializer

    def get_queryset(self) -> RegisteredModelQuerySet:
        asked = self.request.query_params
        models = RegisteredModel.objects.for_organization(organization_of(self.request)).live()
        if search := asked.get("search", "").replace("\0", ""):
            models = models.filter(name__icontains=search[:100])
        if tag := asked.get("tag", "").replace("\0", ""):
            models = models.filter(tags__contains=[tag[:50]])
        order = asked.get("ordering", "-updated_at")
        models = models.order_by(order if order in ORDERS else "-updated_at", "pk")
        return models.prefetch_related("aliases__version", "versions")

    @extend_schema(
        operation_id="list_models",
        tags=["models"],
        parameters=[
            OpenApiParameter("search", description="part of the name"),
            OpenApiParameter("tag"),
            OpenApiParameter("ordering", enum=ORDERS),
            OpenApiParameter("page", int),
            OpenApiParameter("page_size", int),
        ],
        responses=serializers.ModelSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The organization's models."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(serializers.ModelSerializer(page, many=True).data)


class ModelView(_ReadOrDeploy):
    @extend_schema(operation_id="get_model", tags=["models"], responses=serializers.ModelSerializer)
    def get(self, request: Request, model: str) -> Response:
        """One model, by id or name."""
        found = find_model(organization_of(request), model)
        return Response(serializers.ModelSerializer(found).data)

    @extend_schema(
        operation_id="change_model",
        tags=["models"],
        request=serializers.ModelChangesSerializer,
        responses=serializers.ModelSerializer,
    )
    def patch(self, request: Request, model: str) -> Response:
        """Change description, tags, metadata, or what is done with unknown columns."""
        found = find_model(organization_of(request), model)
        asked = serializers.ModelChangesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        describe_model(found, by=request.user, at=now(), **asked.validated_data)

        return Response(serializers.ModelSerializer(found).data)

    @extend_schema(
        operation_id="delete_model",
        tags=["models"],
        responses={204: OpenApiResponse(description="It answers no more; its name is free.")},
    )
    def delete(self, request: Request, model: str) -> Response:
        """Take the model out of service. Its log stays."""
        delete_model(find_model(organization_of(request), model), by=request.user, at=now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class VersionsView(GenericAPIView):
    permission_classes = [CanRead]
    serializer_class = serializers.ListedVersionSerializer

    @extend_schema(
        operation_id="list_versions",
        tags=["models"],
        responses=serializers.ListedVersionSerializer(many=True),
    )
    def get(self, request: Request, model: str) -> Response:
        """A model's versions, the newest first, without what their samples say."""
        versions = find_model(organization_of(request), model).versions.latest_first()
        versions = versions.select_related("model").prefetch_related("aliases").defer("profile")
        shown = self.get_serializer(self.paginate_queryset(versions), many=True)
        return self.get_paginated_response(shown.data)


class VersionView(_ReadOrDeploy):
    @extend_schema(
        operation_id="get_version", tags=["models"], responses=serializers.VersionSerializer
    )
    def get(self, request: Request, model: str, number: int) -> Response:
        """One version: its status, and why it was rejected if it was."""
        version = _version(request, model, number)
        return Response(serializers.VersionSerializer(version).data)

    @extend_schema(
        operation_id="change_version",
        tags=["models"],
        request=serializers.VersionChangesSerializer,
        responses=serializers.VersionSerializer,
    )
    def patch(self, request: Request, model: str, number: int) -> Response:
        """Pin the version to the original, or deprecate, archive or restore it."""
        asked = serializers.VersionChangesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        version = change_version(
            _version(request, model, number), by=request.user, **asked.validated_data
        )

        return Response(serializers.VersionSerializer(version).data)


class AliasView(APIView):
    permission_classes = [CanDeploy]

    @extend_schema(
        operation_id="set_alias",
        tags=["models"],
        request=serializers.AliasChangeSerializer,
        responses=serializers.AliasSerializer,
    )
    def put(self, request: Request, model: str, alias: str) -> Response:
        """Point an alias at a ready version. `champion` answers by default: this promotes."""
        asked = serializers.AliasChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        version = _version(request, model, asked.validated_data["version"])

        pointed = promote(version, alias=alias, by=request.user, at=now())

        return Response(serializers.AliasSerializer(pointed).data)

    @extend_schema(
        operation_id="remove_alias",
        tags=["models"],
        request=None,
        responses={204: OpenApiResponse(description="The alias is gone.")},
    )
    def delete(self, request: Request, model: str, alias: str) -> Response:
        """Remove an alias of yours."""
        found = find_model(organization_of(request), model)
        if alias == CHAMPION:
            raise InvalidName("The champion answers by default; point it elsewhere instead.")
        remove_alias(found, alias=alias, by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _version(request: Request, model: str, number: int) -> ModelVersion:
    return find_version(find_model(organization_of(request), model), number)
