"""Signing in by e-mail and password."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts import attempts, passwords
from accounts.models import User


class EmailBackend(ModelBackend):
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> User | None:
        """The user, or None: whether the address, the password or the account is to blame.

        Raises TooManyAttempts, before the costly look at the password.
        """
        email = username or credentials.get(User.USERNAME_FIELD)
        if not email or not password or "\0" in email or passwords.is_too_long(password):
            return None
        if request is not None:
            attempts.begin(request, email)
        user = self._checked(email, password)
        if user is not None and request is not None:
            attempts.succeeded(request, email)
        return user

    def _checked(self, email: str, password: str) -> User | None:
        try:
            user = User.objects.get_by_natural_key(email)
        except User.DoesNotExist:
            # As long as the check of a real password would take, or the clock tells who is here.
            User().set_password(password)
            return None
        is_right = user.check_password(password)
        return user if is_right and self.user_can_authenticate(user) else None
