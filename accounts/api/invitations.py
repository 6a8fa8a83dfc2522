"""The JSON API for asking people into an organization."""

from uuid import UUID

from django.utils.timezone import now
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from accounts import invitations
from accounts.api import organization_shapes as shapes
from accounts.api.organizations import InOrganization
from accounts.models import Invitation, InvitationQuerySet
from accounts.permissions import CanAdminister, IsPerson
from accounts.tenancy import organization_of, standing_of


class InvitationsView(InOrganization, GenericAPIView):
    permission_classes = [CanAdminister]

    def get_serializer_class(self) -> type[Serializer]:
        if self.request.method == "POST":
            return shapes.NewInvitationSerializer
        return shapes.InvitationSerializer

    def get_queryset(self) -> InvitationQuerySet:
        return _waiting(self.request).select_related("invited_by").newest_first()

    @extend_schema(
        operation_id="list_invitations",
        tags=["organizations"],
        responses=shapes.InvitationSerializer(many=True),
    )
    def get(self, request: Request, organization: str) -> Response:
        """The invitations that wait for an answer."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(shapes.InvitationSerializer(page, many=True).data)

    @extend_schema(
        operation_id="invite",
        tags=["organizations"],
        request=shapes.NewInvitationSerializer,
        responses={201: shapes.InvitationSerializer},
    )
    def post(self, request: Request, organization: str) -> Response:
        """Mail a link that lets this address join, once, within a week."""
        asked = shapes.NewInvitationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        invitation = invitations.invite(
            standing=standing_of(request), by=request.user, at=now(), **asked.validated_data
        )

        answer = shapes.InvitationSerializer(invitation).data
        return Response(answer, status=status.HTTP_201_CREATED)


class InvitationView(InOrganization):
    permission_classes = [CanAdminister]

    @extend_schema(
        operation_id="withdraw_invitation",
        tags=["organizations"],
        responses={204: OpenApiResponse(description="Its link is void.")},
    )
    def delete(self, request: Request, organization: str, invitation_id: UUID) -> Response:
        """Withdraw an invitation that waits."""
        invitation = get_object_or_404(_waiting(request), pk=invitation_id)

        invitations.withdraw(invitation, by=request.user, at=now())

        return Response(status=status.HTTP_204_NO_CONTENT)


class AcceptView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(
        operation_id="accept_invitation",
        tags=["organizations"],
        request=shapes.TokenSerializer,
        responses=shapes.MyOrganizationSerializer,
    )
    def post(self, request: Request) -> Response:
        """Join, signed in with the address that was invited."""
        asked = shapes.TokenSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        member = invitations.accept(asked.validated_data["token"], by=request.user, at=now())

        return Response(shapes.MyOrganizationSerializer(member).data)


def _waiting(request: Request) -> InvitationQuerySet:
    mine = Invitation.objects.for_organization(organization_of(request))
    return mine.pending(at=now()).select_related("organization")
