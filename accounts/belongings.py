"""What other apps keep for people and organizations. They tell us, since we import none of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import Organization, User


@dataclass(frozen=True)
class Belongings:
    name: str  # in the export
    export: Callable[[User], list[dict[str, Any]]]  # what this person made, as JSON
    remove: Callable[[Organization, User, datetime], None]  # by whom, when


_known: dict[str, Belongings] = {}


def register(belongings: Belongings) -> None:
    """Called once by each app when it is ready."""
    _known[belongings.name] = belongings


def export_all(user: User) -> dict[str, list[dict[str, Any]]]:
    return {name: belongings.export(user) for name, belongings in sorted(_known.items())}


def remove_all(organization: Organization, *, by: User, at: datetime) -> None:
    for belongings in _known.values():
        belongings.remove(organization, by, at)
