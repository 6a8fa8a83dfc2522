"""The JSON API for one's own account."""

from allauth.account.forms import ResetPasswordForm, UserTokenForm
from allauth.core import ratelimit
from django.contrib import auth
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiResponse, OpenApiTypes, extend_schema
from rest_framework import status
from rest_framework.exceptions import Throttled, ValidationError
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import attempts, profile
from accounts.api import people_serializers
from accounts.api.serializers import UserSerializer
from accounts.api.views import PublicView
from accounts.deletion import delete_account
from accounts.errors import ResetKeyInvalid
from accounts.export import export_account
from accounts.models import User
from accounts.permissions import IsPerson
from accounts.tenancy import standing_of

# The same for every address: who asks learns nothing about others.
RESET_SENT = "If this address has an account, a mail with a link is on its way."


class MeView(APIView):
    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated()] if self.request.method == "GET" else [IsPerson()]

    @extend_schema(operation_id="me", tags=["users"], responses=UserSerializer)
    def get(self, request: Request) -> Response:
        """Who you are, and in which organization this request acts."""
        return _me(request)

    @extend_schema(
        operation_id="change_me",
        tags=["users"],
        request=people_serializers.ProfileSerializer,
        responses=UserSerializer,
    )
    def patch(self, request: Request) -> Response:
        """Change your name, time zone or theme."""
        standing_of(request)  # refuses before anything is changed
        asked = people_serializers.ProfileSerializer(data=request.data)
        asked.is_valid(raise_exception=True)

        if asked.validated_data:
            profile.change_profile(request.user, **asked.validated_data)

        return _me(request)

    @extend_schema(
        operation_id="delete_me",
        tags=["users"],
        request=people_serializers.AccountDeletionSerializer,
        responses={204: OpenApiResponse(description="The account is deleted.")},
    )
    def delete(self, request: Request) -> Response:
        """Delete your account, your own organization and its models. There is no way back."""
        asked = people_serializers.AccountDeletionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        _check_password(request, asked.validated_data["password"], field="password")

        delete_account(request.user, at=now())

        auth.logout(request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(
        operation_id="change_password",
        tags=["users"],
        request=people_serializers.PasswordChangeSerializer,
        responses={204: OpenApiResponse(description="The password is changed.")},
    )
    def post(self, request: Request) -> Response:
        """Change your password. It ends every session and token, these too; API keys stay."""
        asked = people_serializers.PasswordChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        _check_password(request, asked.validated_data["current"], field="current")

        profile.change_password(request.user, asked.validated_data["new"])

        return Response(status=status.HTTP_204_NO_CONTENT)


class ExportView(APIView):
    permission_classes = [IsPerson]

    @extend_schema(operation_id="export_me", tags=["users"], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Everything the platform keeps about you, without secrets."""
        return Response(export_account(request.user, at=now()))


class PasswordResetView(PublicView):
    door = "reset"

    @extend_schema(
        operation_id="reset_password",
        tags=["auth"],
        auth=[],
        request=people_serializers.PasswordResetSerializer,
        responses={202: people_serializers.SentSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for a mail with a link to choose a new password."""
        asked = people_serializers.PasswordResetSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        form = ResetPasswordForm(asked.validated_data)
        if not form.is_valid():
            raise ValidationError(form.errors)
        email = form.cleaned_data["email"]
        if not ratelimit.consume(request, action="reset_password", key=email):
            raise Throttled(wait=60)

        form.save(request)

        return Response({"detail": RESET_SENT}, status=status.HTTP_202_ACCEPTED)


class PasswordResetConfirmView(PublicView):
    door = "reset"

    @extend_schema(
        operation_id="confirm_password_reset",
        tags=["auth"],
        auth=[],
        request=people_serializers.PasswordResetConfirmSerializer,
        responses={204: OpenApiResponse(description="The password is changed.")},
    )
    def post(self, request: Request) -> Response:
        """Choose a new password with the key of the mailed link. It works once."""
        asked = people_serializers.PasswordResetConfirmSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        user = _user_of_key(asked.validated_data["key"])

        profile.reset_password(user, asked.validated_data["password"])
        attempts.succeeded(request, user.email)

        return Response(status=status.HTTP_204_NO_CONTENT)


def _me(request: Request) -> Response:
    standing = standing_of(request)
    me = {"user": request.user, "organization": standing.organization, "role": standing.role}
    return Response(UserSerializer(me).data)


def _check_password(request: Request, password: str, *, field: str) -> None:
    if not profile.is_own_password(request._request, password, user=request.user):
        raise ValidationError({field: ["This is not your password."]}, code="wrong")


def _user_of_key(key: str) -> User:
    uid, _, token = key.partition("-")
    form = UserTokenForm({"uidb36": uid, "key": token})
    if not form.is_valid() or not form.reset_user.is_active:
        raise ResetKeyInvalid(
            "The key is forged, was used before, or has expired. Ask for another."
        )
    return form.reset_user
