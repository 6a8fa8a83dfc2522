"""The JSON API for signing up, tokens and keys."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import authenticate
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import (
    AuthenticationFailed,
    ErrorDetail,
    PermissionDenied,
    ValidationError,
)
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from accounts import api_keys, audit, confirmation, refresh_cookie, second_factor, tokens
from accounts.api import serializers
from accounts.authentication import CHALLENGE, bearer_in
from accounts.errors import SecondFactorNeeded
from accounts.models import APIKey, APIKeyQuerySet, Membership
from accounts.permissions import CanManageKeys
from accounts.roles import Capability
from accounts.sign_up import register
from accounts.tenancy import organization_of, standing_of
from accounts.throttling import limit_address


class PublicView(APIView):
    """For people who are not signed in yet; credentials sent along are not looked at.

    Counted by address. A `door` at which something could be guessed or flooded
    is closed while Redis is away.
    """

    authentication_classes = []
    permission_classes = [AllowAny]
    door: str
    fails_closed = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        limit_address(
            request,
            self.door,
            limit=settings.SIGN_IN_LIMIT_PER_MINUTE,
            fails_closed=self.fails_closed,
        )

    def get_authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class RegisterView(PublicView):
    door = "register"

    @extend_schema(
        operation_id="register",
        tags=["auth"],
        auth=[],
        request=serializers.RegisterSerializer,
        responses={201: serializers.UserSerializer},
    )
    def post(self, request: Request) -> Response:
        """Sign up: a user with a personal organization."""
        asked = serializers.RegisterSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        user = register(at=now(), **asked.validated_data)
        confirmation.ask(user, request=request._request)

        home = Membership.objects.of(user).home_first().get()
        return Response(serializers.UserSerializer(home).data, status=status.HTTP_201_CREATED)


class LoginView(PublicView):
    door = "login"

    @extend_schema(
        operation_id="login",
        tags=["auth"],
        auth=[],
        request=serializers.LoginSerializer,
        responses=serializers.TokensSerializer,
    )
    def post(self, request: Request) -> Response:
        """E-mail and password for an access token (30 minutes) and a refresh token (7 days)."""
        asked = serializers.LoginSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        given = asked.validated_data

        user = authenticate(request, email=given["email"], password=given["password"])

        if user is None:
            audit.record_failed_sign_in(given["email"])
            raise AuthenticationFailed(
                "The e-mail address or the password is wrong.", code="invalid_credentials"
            )
        confirmation.demand(user)
        try:
            second_factor.demand(user, code=given.get("code"), request=request)
        except SecondFactorNeeded:
            if given.get("code"):
                audit.record_failed_sign_in(user.email)
            raise
        audit.record(organization=None, by=user, verb="account.signed_in", target=user)
        return _answer(tokens.issue(user), in_cookie=given["cookie"])


class RefreshView(PublicView):
    door = "refresh"
    fails_closed = False  # a refresh token cannot be guessed

    @extend_schema(
        operation_id="refresh",
        tags=["auth"],
        auth=[],
        request=serializers.RefreshSerializer,
        responses=serializers.TokensSerializer,
    )
    def post(self, request: Request) -> Response:
        """A refresh token for a new pair. It can be spent once.

        Spent twice it ends the whole sign-in: somebody else has it, too. Where
        the token came in a cookie, its successor does.
        """
        given = _refresh_in(request)
        from_cookie = refresh_cookie.read(request) if given is None else None

        pair = tokens.refresh(_needed(given or from_cookie))

        return _answer(pair, in_cookie=from_cookie is not None)


class LogoutView(PublicView):
    door = "logout"
    fails_closed = False  # whoever wants to leave, may

    @extend_schema(
        operation_id="logout",
        tags=["auth"],
        auth=[],
        request=serializers.RefreshSerializer,
        responses={204: OpenApiResponse(description="All tokens of this sign-in are void.")},
    )
    def post(self, request: Request) -> Response:
        """Void all tokens of a sign-in, at once.

        Name it by its refresh token, or by its access token in the header
        Authorization: so do browsers, whose refresh token is in a cookie.
        """
        tokens.revoke(_needed(_refresh_in(request) or bearer_in(request)))

        response = Response(status=status.HTTP_204_NO_CONTENT)
        refresh_cookie.remove(response)
        return response


def _refresh_in(request: Request) -> str | None:
    asked = serializers.RefreshSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return asked.validated_data.get("refresh")


def _needed(token: str | None) -> str:
    if not token:
        fault = ErrorDetail("This field is required.", code="required")
        raise ValidationError({"refresh": [fault]})
    return token


def _answer(pair: tokens.Pair, *, in_cookie: bool) -> Response:
    answer = serializers.TokensSerializer(pair).data
    if not in_cookie:
        return Response(answer)
    del answer["refresh"]
    response = Response(answer)
    refresh_cookie.write(response, pair.refresh)
    return response


class KeysView(GenericAPIView):
    permission_classes = [CanManageKeys]

    def get_serializer_class(self) -> type[Serializer]:
        if self.request.method == "POST":
            return serializers.NewKeySerializer
        return serializers.KeySerializer

    def get_queryset(self) -> APIKeyQuerySet:
        return _keys_in_reach(self.request).select_related("created_by").newest_first()

    @extend_schema(
        operation_id="list_keys", tags=["keys"], responses=serializers.KeySerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """Your API keys, revoked ones too; administrators see everybody's."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(serializers.KeySerializer(page, many=True).data)

    @extend_schema(
        operation_id="create_key",
        tags=["keys"],
        request=serializers.NewKeySerializer,
        responses={201: serializers.CreatedKeySerializer},
    )
    def post(self, request: Request) -> Response:
        """Make an API key. `key` is its secret, shown this once."""
        asked = serializers.NewKeySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        _check_limits(request, asked.validated_data)

        key, secret = api_keys.create_key(
            organization=organization_of(request),
            by=request.user,
            at=now(),
            **asked.validated_data,
        )

        answer = {**serializers.KeySerializer(key).data, "key": secret}
        return Response(answer, status=status.HTTP_201_CREATED)


class KeyView(APIView):
    permission_classes = [CanManageKeys]

    @extend_schema(
        operation_id="change_key",
        tags=["keys"],
        request=serializers.ChangedKeySerializer,
        responses=serializers.KeySerializer,
    )
    def patch(self, request: Request, key_id: UUID) -> Response:
        """Change name, scopes, models or limits of a key. Its secret stays."""
        key = get_object_or_404(_keys_in_reach(request), pk=key_id)
        asked = serializers.ChangedKeySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        _check_limits(request, asked.validated_data)

        api_keys.change_key(key, by=request.user, **asked.validated_data)

        return Response(serializers.KeySerializer(key).data)

    @extend_schema(
        operation_id="revoke_key",
        tags=["keys"],
        responses={204: OpenApiResponse(description="The key is void.")},
    )
    def delete(self, request: Request, key_id: UUID) -> Response:
        """Revoke a key, at once and for good. It stays in the list."""
        key = get_object_or_404(_keys_in_reach(request), pk=key_id)

        api_keys.revoke_key(key, by=request.user, at=now())

        return Response(status=status.HTTP_204_NO_CONTENT)


class RollKeyView(APIView):
    permission_classes = [CanManageKeys]

    @extend_schema(
        operation_id="roll_key",
        tags=["keys"],
        request=serializers.RollSerializer,
        responses=serializers.CreatedKeySerializer,
    )
    def post(self, request: Request, key_id: UUID) -> Response:
        """A new secret for the key, shown this once. The old one works a while beside it."""
        # Whoever holds a key's secret acts as its maker: nobody else is given it.
        key = get_object_or_404(_keys_in_reach(request).made_by(request.user), pk=key_id)
        asked = serializers.RollSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        overlap = timedelta(hours=asked.validated_data["overlap_hours"])

        rolled, secret = api_keys.roll_key(key, by=request.user, overlap=overlap, at=now())

        return Response({**serializers.KeySerializer(rolled).data, "key": secret})


def _check_limits(request: Request, asked: Mapping[str, Any]) -> None:
    """Raises PermissionDenied: what an administrator has limited, nobody else widens."""
    may = Capability.ADMINISTER in standing_of(request).capabilities
    if not may and {"rate_limit", "monthly_predictions"} & set(asked):
        raise PermissionDenied("Limits of keys are set with the role admin.")


def _keys_in_reach(request: Request) -> APIKeyQuerySet:
    """The organization's keys for who administers it, one's own for everybody else."""
    standing = standing_of(request)
    keys = APIKey.objects.for_organization(standing.organization)
    if Capability.ADMINISTER in standing.capabilities:
        return keys
    return keys.made_by(request.user)
