"""What every page knows of who reads it."""

from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils import timezone


def reader(request: HttpRequest) -> dict[str, str]:
    """A context processor: the theme, and times in the reader's zone while the page is made.

    Here and not in a middleware: so only pages ask who reads them, inside the
    view, where a database that is away still becomes a page that says so.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    timezone.activate(ZoneInfo(user.time_zone))
    return {"theme": user.theme}
