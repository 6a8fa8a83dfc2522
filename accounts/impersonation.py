"""An operator looks at the platform as somebody else sees it.

Only superusers, only at people who are no operators, for an hour at most, and
only to look: nothing can be changed meanwhile, and pages about the account
itself (passwords, second factors, the export) stay closed. The session remains
the operator's own. Begin and end are in the audit log.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now

from accounts import audit
from accounts.models import User

LONGEST = timedelta(hours=1)
END = "/accounts/acting/end/"
_KEY = "acts_as"
_SAFE = ("GET", "HEAD", "OPTIONS")
_CLOSED = ("/accounts/", "/admin/", "/api/v1/users/me/export", "/api/v1/keys")


def may_act_as(operator: User, user: User) -> bool:
    is_operator = user.is_staff or user.is_superuser
    return operator.is_superuser and operator.is_active and user.is_active and not is_operator


def begin(request: HttpRequest, user: User, *, at: datetime) -> None:
    """From the next request on, this browser sees what the user sees. Raises PermissionDenied."""
    if not may_act_as(request.user, user):
        raise PermissionDenied("Superusers act as people who are active and no operators.")
    request.session[_KEY] = {"user": str(user.pk), "until": (at + LONGEST).timestamp()}
    verb = "operator.impersonation_started"
    audit.record(organization=None, by=request.user, verb=verb, target=user)


def end(request: HttpRequest, operator: User) -> None:
    """A second time changes nothing."""
    acting = request.session.pop(_KEY, None)
    user = acting and User.objects.filter(pk=acting["user"]).first()
    if user is not None:
        verb = "operator.impersonation_ended"
        audit.record(organization=None, by=operator, verb=verb, target=user)


class ImpersonationMiddleware:
    """`request.user` becomes whom the operator acts as, `request.operator` the operator."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.operator = None
        if settings.SESSION_COOKIE_NAME in request.COOKIES and _KEY in request.session:
            self._act(request)
        return self.get_response(request)

    def _act(self, request: HttpRequest) -> None:
        operator, acting = request.user, request.session[_KEY]
        user = User.objects.filter(pk=acting["user"]).first()
        is_over = acting["until"] <= now().timestamp()
        if is_over or user is None or not may_act_as(operator, user):
            end(request, operator)
            return
        request.operator, request.user = operator, user
        structlog.contextvars.bind_contextvars(operator_id=str(operator.pk))

    def process_view(self, request: HttpRequest, *view: object) -> None:
        if request.operator is None or request.path == END:
            return
        if request.method not in _SAFE or request.path.startswith(_CLOSED):
            raise PermissionDenied(
                f"You act as {request.user} and can only look. Stop acting to go on as yourself."
            )
