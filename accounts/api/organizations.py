"""The JSON API for organizations and who is in them."""

from typing import Any
from uuid import UUID

from django.utils.timezone import now
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import members, organizations
from accounts.api import organization_shapes as shapes
from accounts.models import APIKey, Membership, MembershipQuerySet
from accounts.permissions import CanAdminister, CanOwn, CanSeePeople, IsPerson
from accounts.tenancy import stand_in, standing_of

READING = ("GET", "HEAD", "OPTIONS")


class InOrganization(APIView):
    """The URL names the organization by slug or id; whoever is not in it gets a 404."""

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if request.user.is_authenticated:
            stand_in(request, self.kwargs["organization"])


class OrganizationsView(GenericAPIView):
    serializer_class = shapes.MyOrganizationSerializer

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated() if self.request.method in READING else IsPerson()]

    def get_queryset(self) -> MembershipQuerySet:
        mine = Membership.objects.of(self.request.user).home_first()
        key = self.request.auth
        return mine.filter(organization=key.organization) if isinstance(key, APIKey) else mine

    @extend_schema(
        operation_id="list_organizations",
        tags=["organizations"],
        responses=shapes.MyOrganizationSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The organizations you are in; a key's own one."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(shapes.MyOrganizationSerializer(page, many=True).data)

    @extend_schema(
        operation_id="create_organization",
        tags=["organizations"],
        request=shapes.OrganizationNameSerializer,
        responses={201: shapes.MyOrganizationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make another organization, as its owner. The slug follows from the name."""
        asked = shapes.OrganizationNameSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        made = organizations.create(by=request.user, at=now(), **asked.validated_data)

        answer = _as_mine(made.memberships.get(user=request.user))
        return Response(answer, status=status.HTTP_201_CREATED)


class OrganizationView(InOrganization):
    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated() if self.request.method in READING else CanAdminister()]

    @extend_schema(
        operation_id="get_organization",
        tags=["organizations"],
        responses=shapes.MyOrganizationSerializer,
    )
    def get(self, request: Request, organization: str) -> Response:
        """One of yours, and your role in it."""
        return Response(_as_mine(standing_of(request)))

    @extend_schema(
        operation_id="rename_organization",
        tags=["organizations"],
        request=shapes.OrganizationNameSerializer,
        responses=shapes.MyOrganizationSerializer,
    )
    def patch(self, request: Request, organization: str) -> Response:
        """Rename it. The slug, by which programs know it, stays."""
        asked = shapes.OrganizationNameSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        standing = standing_of(request)

        renamed = organizations.rename(
            standing.organization, by=request.user, **asked.validated_data
        )

        return Response(_as_mine({"organization": renamed, "role": standing.role}))


class MembersView(InOrganization, GenericAPIView):
    permission_classes = [CanSeePeople]
    serializer_class = shapes.MemberSerializer

    def get_queryset(self) -> MembershipQuerySet:
        return Membership.objects.in_organization(standing_of(self.request).organization)

    @extend_schema(
        operation_id="list_members",
        tags=["organizations"],
        responses=shapes.MemberSerializer(many=True),
    )
    def get(self, request: Request, organization: str) -> Response:
        """Who is in the organization, and with which role."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(shapes.MemberSerializer(page, many=True).data)


class MemberView(InOrganization):
    permission_classes = [CanAdminister]

    @extend_schema(
        operation_id="change_role",
        tags=["organizations"],
        request=shapes.RoleSerializer,
        responses=shapes.MemberSerializer,
    )
    def patch(self, request: Request, organization: str, user_id: UUID) -> Response:
        """Change somebody's role. Only an owner makes and unmakes owners; one always stays."""
        asked = shapes.RoleSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        member = members.change_role(**_acting(request), user_id=user_id, **asked.validated_data)

        return Response(shapes.MemberSerializer(member).data)

    @extend_schema(
        operation_id="remove_member",
        tags=["organizations"],
        responses={204: OpenApiResponse(description="They are out, and their keys here void.")},
    )
    def delete(self, request: Request, organization: str, user_id: UUID) -> Response:
        """Remove somebody, at once. Only an owner removes an owner; one always stays."""
        members.remove(**_acting(request), user_id=user_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class LeaveView(InOrganization):
    permission_classes = [IsPerson]

    @extend_schema(
        operation_id="leave_organization",
        tags=["organizations"],
        request=None,
        responses={204: OpenApiResponse(description="You are out, and your keys there void.")},
    )
    def post(self, request: Request, organization: str) -> Response:
        """Leave. The last owner cannot: transfer the organization first."""
        left = standing_of(request).organization
        members.leave(organization=left, user=request.user, at=now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class TransferView(InOrganization):
    permission_classes = [IsPerson, CanOwn]

    @extend_schema(
        operation_id="transfer_organization",
        tags=["organizations"],
        request=shapes.HeirSerializer,
        responses=shapes.MemberSerializer,
    )
    def post(self, request: Request, organization: str) -> Response:
        """Make a member the owner in your place; you stay as an admin."""
        asked = shapes.HeirSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        standing = standing_of(request)

        heir = members.transfer(standing=standing, by=request.user, **asked.validated_data)

        return Response(shapes.MemberSerializer(heir).data)


def _acting(request: Request) -> dict[str, Any]:
    return {"standing": standing_of(request), "by": request.user, "at": now()}


def _as_mine(standing: object) -> dict[str, Any]:
    return shapes.MyOrganizationSerializer(standing).data
