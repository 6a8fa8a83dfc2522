from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.timezone import now

from accounts import audit

LEAST_DAYS = 30


class Command(BaseCommand):
    help = "Removes audit events older than this many days: the only way they go."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than-days", type=int, required=True)

    def handle(self, *, older_than_days: int, **options: Any) -> None:
        if older_than_days < LEAST_DAYS:
            raise CommandError(f"Events of the last {LEAST_DAYS} days stay.")
        count = audit.trim(before=now() - timedelta(days=older_than_days))
        self.stdout.write(f"{count} audit events removed.")
