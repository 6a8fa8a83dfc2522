from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.login_links import make_link
from accounts.models import User


class Command(BaseCommand):
    help = "Prints a link that signs somebody in, once, within a day."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *, email: str, **options: Any) -> None:
        try:
            user = User.objects.get_by_natural_key(email)
        except User.DoesNotExist as unknown:
            raise CommandError(f"Nobody signed up as {email}.") from unknown
        self.stdout.write(make_link(user))
