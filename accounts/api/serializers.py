from datetime import datetime

from django.core.validators import EmailValidator
from django.utils.timezone import now
from rest_framework import serializers

from accounts.api.fields import Email, Name, StrictSerializer, Text
from accounts.models import Theme
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


class RefreshSerializer(StrictSerializer):
    refresh = Text(write_only=True)


class TokensSerializer(serializers.Serializer):
    access = serializers.CharField(help_text="send as `Authorization: Bearer …`")
    refresh = serializers.CharField(help_text="spend it once, for the next pair")
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


class NewKeySerializer(StrictSerializer):
    name = Name(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope),
        allow_empty=False,
        max_length=len(Scope),
        default=list(DEFAULT_SCOPES),
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="never, if not given"
    )

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        if value is not None and value <= now():
            raise serializers.ValidationError("This time has passed.", code="passed")
        return value


class KeySerializer(serializers.Serializer):
    """A key as it is shown ever after: without its secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.SerializerMethodField(help_text="how the key begins")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope))
    created_by = serializers.CharField(source="created_by.email")
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="to the minute")
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)

    def get_prefix(self, key: object) -> str:
        return f"mlp_live_{key.prefix}"


class CreatedKeySerializer(KeySerializer):
    key = serializers.CharField(help_text="the secret: shown this once")
