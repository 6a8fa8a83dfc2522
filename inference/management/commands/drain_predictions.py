import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from inference import drainer


class Command(BaseCommand):
    help = "Moves the spooled prediction log into PostgreSQL, until SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one pass, then end")

    def handle(self, *, once: bool, **options: Any) -> None:
        directory = Path(settings.SPOOL_DIR)
        if once:
            self.stdout.write(f"{drainer.drain(directory)} predictions stored")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *received: stop.set())
        drainer.run(directory, stop=stop)
