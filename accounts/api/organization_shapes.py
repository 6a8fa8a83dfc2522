"""Shapes of organizations, their people and their audit log."""

from django.core.validators import EmailValidator
from rest_framework import serializers

from accounts.api.fields import Email, Name, StrictSerializer, Text
from accounts.audit_verbs import SENTENCES
from accounts.roles import Role


class OrganizationNameSerializer(StrictSerializer):
    name = Name(max_length=150)


class MyOrganizationSerializer(serializers.Serializer):
    """From a membership: the organization, and one's own role in it."""

    id = serializers.UUIDField(source="organization.id")
    name = serializers.CharField(source="organization.name")
    slug = serializers.CharField(source="organization.slug")
    is_personal = serializers.BooleanField(source="organization.is_personal")
    created_at = serializers.DateTimeField(source="organization.created_at")
    role = serializers.ChoiceField(choices=Role)


class MemberSerializer(serializers.Serializer):
    user_id = serializers.UUIDField()
    email = serializers.CharField(source="user.email")
    full_name = serializers.CharField(source="user.full_name")
    role = serializers.ChoiceField(choices=Role)
    joined_at = serializers.DateTimeField(source="created_at")


class RoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=Role)


class HeirSerializer(StrictSerializer):
    user_id = serializers.UUIDField(help_text="a member, who becomes the owner")


class NewInvitationSerializer(StrictSerializer):
    email = Email(validators=[EmailValidator()])
    role = serializers.ChoiceField(choices=Role)


class InvitationSerializer(serializers.Serializer):
    """Without its link, which is in the mail only."""

    id = serializers.UUIDField()
    email = serializers.CharField()
    role = serializers.ChoiceField(choices=Role)
    invited_by = serializers.CharField(source="invited_by.email")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    mailed_at = serializers.DateTimeField(
        allow_null=True, help_text="null: the mail server did not take it; invite again"
    )


class TokenSerializer(StrictSerializer):
    token = Text(max_length=200, help_text="the last part of the link in the mail")


class AuditFilterSerializer(serializers.Serializer):
    verb = serializers.ChoiceField(choices=sorted(SENTENCES), required=False)
    actor = Text(max_length=254, required=False, help_text="an e-mail address, or a user's id")
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False, help_text="up to, but without this time")


class AuditEventSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    verb = serializers.CharField()
    sentence = serializers.CharField()
    actor = serializers.CharField(source="actor_label")
    actor_id = serializers.UUIDField(allow_null=True)
    api_key = serializers.CharField(help_text="prefix of the key that was used, or empty")
    target = serializers.CharField(source="target_label")
    target_type = serializers.CharField()
    target_id = serializers.CharField()
    detail = serializers.JSONField()
    ip = serializers.CharField(allow_null=True)
    request_id = serializers.CharField()
