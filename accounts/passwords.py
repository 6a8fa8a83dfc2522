"""What a password must be, before it is hashed."""

import unicodedata
from typing import TYPE_CHECKING

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts.errors import UnacceptablePassword

if TYPE_CHECKING:
    from accounts.models import User

MAX_LENGTH = 1024


def normalised(password: str) -> str:
    """NFKC, so that a password typed on another keyboard is the same password."""
    return unicodedata.normalize("NFKC", password)


def is_too_long(password: str) -> bool:
    """Asked before anything is computed from a password: a megabyte costs nothing."""
    return len(password) > MAX_LENGTH


def check_strength(password: str, *, user: "User") -> None:
    """Ask the site's validators. Raises UnacceptablePassword with one error a fault."""
    try:
        MaximumLengthValidator().validate(password)
        validate_password(normalised(password), user)
    except ValidationError as refused:
        raise UnacceptablePassword(
            " ".join(refused.messages), errors=_pointed_at_password(refused)
        ) from refused


class MaximumLengthValidator:
    """For AUTH_PASSWORD_VALIDATORS: what is longer could never sign in."""

    def validate(self, password: str, user: "User | None" = None) -> None:
        if is_too_long(password):
            raise ValidationError(self.get_help_text(), code="password_too_long")

    def get_help_text(self) -> str:
        return f"Your password can’t be longer than {MAX_LENGTH} characters."


def _pointed_at_password(refused: ValidationError) -> list[dict[str, str]]:
    return [
        {"pointer": "/password", "code": fault.code or "invalid", "detail": message}
        for fault in refused.error_list
        for message in fault.messages
    ]
