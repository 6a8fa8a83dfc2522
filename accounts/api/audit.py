"""The audit log of an organization, as pages of JSON or as a file of CSV."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from accounts import audit_csv
from accounts.api import organization_shapes as shapes
from accounts.api.organizations import InOrganization
from accounts.models import AuditEvent, AuditEventQuerySet
from accounts.permissions import CanAdminister, IsPerson
from accounts.tenancy import organization_of


class CSVRenderer(BaseRenderer):
    """Says that CSV can be had; the view streams it."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        # Only an error comes here: it is JSON to whoever asked for CSV, too.
        return api_settings.DEFAULT_RENDERER_CLASSES[0]().render(data)


class MyAuditView(GenericAPIView):
    permission_classes = [IsPerson]
    serializer_class = shapes.AuditEventSerializer

    def get_queryset(self) -> AuditEventQuerySet:
        return AuditEvent.objects.of_account(self.request.user).newest_first()

    @extend_schema(
        operation_id="list_my_audit_events",
        tags=["users"],
        responses=shapes.AuditEventSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """What happened to your account: sign-ins, failed ones too, passwords, second factors."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(shapes.AuditEventSerializer(page, many=True).data)


class AuditView(InOrganization, GenericAPIView):
    permission_classes = [CanAdminister]
    serializer_class = shapes.AuditEventSerializer
    renderer_classes = [*api_settings.DEFAULT_RENDERER_CLASSES, CSVRenderer]

    def get_queryset(self) -> AuditEventQuerySet:
        asked = shapes.AuditFilterSerializer(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        events = AuditEvent.objects.for_organization(organization_of(self.request))
        return events.matching(**asked.validated_data).newest_first()

    @extend_schema(
        operation_id="list_audit_events",
        tags=["organizations"],
        parameters=[
            shapes.AuditFilterSerializer,
            OpenApiParameter("format", enum=["json", "csv"], description="csv: all, as a file"),
            OpenApiParameter("page", int),
            OpenApiParameter("page_size", int),
        ],
        responses={
            (200, "application/json"): shapes.AuditEventSerializer(many=True),
            (200, "text/csv"): OpenApiResponse(str),
        },
    )
    def get(self, request: Request, organization: str) -> HttpResponseBase:
        """Who did what, the newest first."""
        events = self.get_queryset()
        if request.accepted_renderer.format == "csv":
            return audit_csv.as_file(events, name=organization_of(request).slug)
        page = self.paginate_queryset(events)
        return self.get_paginated_response(shapes.AuditEventSerializer(page, many=True).data)
