from datetime import datetime, timedelta
from typing import Any

from django.core.validators import EmailValidator
from django.utils.timezone import now
from rest_framework import serializers

from accounts.api.fields import Email, Name, StrictSerializer, Text
from accounts.models import APIKey, Theme
from accounts.passwords import MAX_LENGTH as MAX_PASSWORD_LENGTH
from accounts.roles import DEFAULT_SCOPES, Role, Scope


class RegisterSerializer(StrictSerializer):
    email = Email(validators=[EmailValidator()])
    password = Text(max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, write_only=True)
    full_name = Name(max_length=150, required=False, allow_blank=True)


class LoginSerializer(StrictSerializer):
    email = Email()
    password = Text(max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, write_only=True)
    code = Text(
        max_length=20,
        required=False,
        write_only=True,
        help_text="of the authenticator app, or a recovery code; where a second factor is set up",
    )
    cookie = serializers.BooleanField(
        default=False, help_text="for browsers: the refresh token comes as an httpOnly cookie"
    )


class RefreshSerializer(StrictSerializer):
    refresh = Text(write_only=True, required=False, help_text="unless a cookie or a header has it")


class TokensSerializer(serializers.Serializer):
    access = serializers.CharField(help_text="send as `Authorization: Bearer …`")
    refresh = serializers.CharField(
        required=False, help_text="spend it once, for the next pair; not where a cookie has it"
    )
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="seconds until the access token expires")


class OrganizationSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()


class UserSerializer(serializers.Serializer):
    """A user, with the organization (and role) that a `Standing` says they act in."""

    id = serializers.UUIDField(source="user.id")
    email = serializers.CharField(source="user.email")
    full_name = serializers.CharField(source="user.full_name")
    time_zone = serializers.CharField(source="user.time_zone")
    theme = serializers.ChoiceField(choices=Theme, source="user.theme")
    created_at = serializers.DateTimeField(source="user.created_at")
    organization = OrganizationSerializer()
    role = serializers.ChoiceField(choices=Role)


class KeyLimitsSerializer(StrictSerializer):
    models = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        allow_null=True,
        allow_empty=False,
        max_length=1000,
        help_text="ids of the only models the key sees; null: all",
    )
    rate_limit = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=1_000_000,
        help_text="requests a minute, where lower than the organization's; needs the role admin",
    )
    monthly_predictions = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=10**15,
        help_text="rows a calendar month (UTC); needs the role admin",
    )


class ChangedKeySerializer(KeyLimitsSerializer):
    name = Name(max_length=100, required=False)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope),
        allow_empty=False,
        max_length=len(Scope),
        required=False,
    )


class RollSerializer(StrictSerializer):
    overlap_hours = serializers.IntegerField(
        default=24, min_value=0, max_value=24 * 30, help_text="how long the old secret works"
    )


class NewKeySerializer(KeyLimitsSerializer):
    name = Name(max_length=100)
    mode = serializers.ChoiceField(choices=APIKey.Mode, default=APIKey.Mode.LIVE)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope),
        allow_empty=False,
        max_length=len(Scope),
        default=list(DEFAULT_SCOPES),
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="never, if not given"
    )
    expires_in_days = serializers.IntegerField(
        required=False, min_value=1, max_value=3650, help_text="the same, counted from now"
    )

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        if value is not None and value <= now():
            raise serializers.ValidationError("This time has passed.", code="passed")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        days = attrs.pop("expires_in_days", None)
        if days is None:
            return attrs
        if attrs.get("expires_at") is not None:
            fault = serializers.ErrorDetail("Not together with expires_at.", code="twice")
            raise serializers.ValidationError({"expires_in_days": [fault]})
        return {**attrs, "expires_at": now() + timedelta(days=days)}


class KeySerializer(serializers.Serializer):
    """A key as it is shown ever after: without its secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(source="shown_prefix", help_text="how the key begins")
    mode = serializers.ChoiceField(choices=APIKey.Mode)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope))
    created_by = serializers.CharField(source="created_by.email")
    created_at = serializers.DateTimeField()
    models = serializers.ListField(
        child=serializers.UUIDField(), source="only_models", allow_null=True
    )
    rate_limit = serializers.IntegerField(allow_null=True)
    monthly_predictions = serializers.IntegerField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="to the minute")
    last_used_ip = serializers.IPAddressField(allow_null=True)
    previous_until = serializers.DateTimeField(
        allow_null=True, help_text="after a roll: how long the old secret works"
    )
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class CreatedKeySerializer(KeySerializer):
    key = serializers.CharField(help_text="the secret: shown this once")
