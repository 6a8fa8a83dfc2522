import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.utils.timezone import now

from accounts import audit
from accounts.errors import UnacceptablePassword
from accounts.models import User
from accounts.passwords import check_strength
from accounts.sign_up import register


class Command(BaseCommand):
    help = "Makes somebody an operator of the platform. Run twice, it changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--password", help="made up and shown once, if not given")

    def handle(self, *, email: str, password: str | None, **options: Any) -> None:
        try:
            validate_email(email)
            user = _find(email)
            if user is None:
                user = self._sign_up(email, password)
            elif password is not None:
                _set_password(user, password)
        except UnacceptablePassword as refused:
            raise CommandError(refused.detail) from refused
        except ValidationError as refused:
            raise CommandError(f"{email} is no e-mail address.") from refused
        if not (user.is_staff and user.is_superuser and user.is_active):
            user.make_operator()
            audit.record(organization=None, by=None, verb="operator.appointed", target=user)
        self.stdout.write(f"{user.email} is an operator.")

    def _sign_up(self, email: str, password: str | None) -> User:
        chosen = password or secrets.token_urlsafe(16)
        user = register(email=email, password=chosen, at=now())
        if password is None:
            self.stdout.write(f"Password (not shown again): {chosen}")
        return user


def _find(email: str) -> User | None:
    try:
        return User.objects.get_by_natural_key(email)
    except User.DoesNotExist:
        return None


def _set_password(user: User, password: str) -> None:
    # The same one again would sign everybody out for nothing.
    if not user.check_password(password):
        check_strength(password, user=user)
        user.change_password(password)
        audit.record(organization=None, by=None, verb="account.password_changed", target=user)
