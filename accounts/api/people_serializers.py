from rest_framework import serializers

from accounts.api.fields import Email, Name, StrictSerializer, Text
from accounts.models import Theme
from accounts.passwords import MAX_LENGTH as MAX_PASSWORD_LENGTH
from accounts.profile import TIME_ZONES


class TimeZone(Text):
    """A name of the IANA database."""

    default_error_messages = {"unknown": "This is no time zone. Use a name such as Europe/Berlin."}

    def __init__(self, **options: object) -> None:
        super().__init__(max_length=64, **options)

    def to_internal_value(self, data: object) -> str:
        name = super().to_internal_value(data)
        if name not in TIME_ZONES:
            self.fail("unknown")
        return name


class ProfileSerializer(StrictSerializer):
    full_name = Name(max_length=150, required=False, allow_blank=True)
    time_zone = TimeZone(required=False)
    theme = serializers.ChoiceField(choices=Theme, required=False)


def _password() -> Text:
    return Text(max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, write_only=True)


class PasswordChangeSerializer(StrictSerializer):
    current = _password()
    new = _password()


class AccountDeletionSerializer(StrictSerializer):
    password = _password()


class PasswordResetSerializer(StrictSerializer):
    email = Email()


class PasswordResetConfirmSerializer(StrictSerializer):
    key = Text(max_length=200, help_text="the part of the mailed link after `/key/`")
    password = _password()


class SentSerializer(serializers.Serializer):
    detail = serializers.CharField()
