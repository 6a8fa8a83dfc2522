"""Serializers and fields that take nothing but what they were made for."""

from typing import Any

from rest_framework import serializers

from accounts.emails import MAX_LENGTH, canonical_email
from accounts.names import canonical_name

MOST_FAULTS = 10


class StrictSerializer(serializers.Serializer):
    """Refuses fields it does not know, and such as only the platform may set."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            unknown = [name for name in data if name not in writable][:MOST_FAULTS]
            if unknown:
                fault = serializers.ErrorDetail("There is no such field to set.", code="unknown")
                raise serializers.ValidationError({name[:100]: [fault] for name in unknown})
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A JSON string: a number is a mistake, not its digits."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Name(Text):
    """One line for people to read: shown in pages, mails and logs."""

    default_error_messages = {"unprintable": "Control and invisible characters are not allowed."}

    def to_internal_value(self, data: Any) -> str:
        try:
            return canonical_name(super().to_internal_value(data))
        except ValueError:
            self.fail("unprintable")


class Email(Text):
    """An address in its canonical form. `validators` see that form."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_LENGTH, **options)

    def to_internal_value(self, data: Any) -> str:
        return canonical_email(super().to_internal_value(data))
