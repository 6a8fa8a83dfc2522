"""What happens around every request: its id, its log line, its content policy."""

import re
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from mlplatform.api import as_problem
from mlplatform.error_pages import is_for_program, page, too_large
from mlplatform.foundation import body_length, client_address, request_facts
from mlplatform.foundation.uuid7 import uuid7

logger = structlog.get_logger("request")

# A caller's own id is kept so that its logs and ours can be joined, if it is harmless in a log.
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestLogMiddleware:
    """Give the request an id and log one line when it is answered.

    Views add what they know by `structlog.contextvars.bind_contextvars`
    (model_id, model_version). Bodies, keys and query strings are never logged.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        request.id = request_id_of(request.headers.get("X-Request-Id", ""))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.id)
        ip = client_address.of(request.META)
        facts = request_facts.begin(request_id=request.id, ip=ip)
        try:
            response = self.get_response(request)
        finally:
            request_facts.end(facts)
        response["X-Request-Id"] = request.id
        self._log(request, response, time.perf_counter() - started)
        return response

    def _log(self, request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        # DRF authenticates its own request object and shows the user on ours only then; asking
        # `request.user` here could open a session, so only a user already found is told.
        user = getattr(request, "_cached_user", None) or request.__dict__.get("user")
        user_id = getattr(user, "pk", None) if hasattr(user, "is_anonymous") else None
        match = request.resolver_match
        log_request(
            user_id=user_id,
            endpoint=f"/{match.route}" if match else request.path[:200],
            method=request.method,
            status=response.status_code,
            seconds=seconds,
        )


def request_id_of(given: str) -> str:
    return given if _ACCEPTED_ID.fullmatch(given) else str(uuid7())


def log_request(
    *, user_id: UUID | None, endpoint: str, method: str, status: int, seconds: float
) -> None:
    """The one line of a request."""
    logger.info(
        "request",
        user_id=str(user_id) if user_id else None,
        endpoint=endpoint,
        method=method,
        status_code=status,
        response_time_ms=round(seconds * 1000, 3),
    )


class SecurityHeadersMiddleware:
    """What every answer says to browsers: also probes, static files and refused hosts."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.headers = security_headers()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in self.headers.items():
            response.headers.setdefault(name, value)
        return response


def security_headers() -> dict[str, str]:
    return {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": settings.X_FRAME_OPTIONS,
        "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
        "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
        "Permissions-Policy": settings.PERMISSIONS_POLICY,
    }


class BodyLimitMiddleware:
    """Refuses a body that says it is too long, before anything of it is read.

    A view may have a `max_body_bytes` of its own, None for one that counts by
    itself. Django reads no further than Content-Length, so nobody can lie.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        limit = getattr(getattr(view, "cls", None), "max_body_bytes", settings.MAX_BODY_BYTES)
        length = body_length.stated(request.META)
        if limit is None or length <= limit:
            return None
        return too_large(request, f"The request has {length} bytes; at most {limit} are read.")


class LooserPolicyMiddleware:
    """The admin's Alpine evaluates expressions; nothing else may."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/admin/"):
            response._csp_update = {
                "script-src": ["'unsafe-eval'", "'unsafe-inline'"],
                "style-src": ["'unsafe-inline'"],
            }
        elif request.path in ("/docs", "/redoc"):
            # Their assets write styles into the page, and ReDoc starts a worker from a blob.
            response._csp_update = {"style-src": ["'unsafe-inline'"], "worker-src": ["blob:"]}
        return response


class ProblemPageMiddleware:
    """A Problem raised by a page's view becomes a page that says what to do."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        problem = as_problem(exception)
        if problem is None or is_for_program(request):
            return None
        response = page(request, problem.status, problem.title, problem.detail)
        if problem.retry_after is not None:
            response["Retry-After"] = str(problem.retry_after)
        return response
