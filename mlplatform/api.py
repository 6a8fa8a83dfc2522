"""The manners of our REST API: pages, and one shape for every error."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import exception_handler as standardized_handler
from drf_standardized_errors.types import ErrorResponse
from redis import RedisError
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

from mlplatform.foundation.errors import BadRequest, BodyTooLarge, Problem, StoreUnavailable

logger = structlog.get_logger(__name__)

PROBLEM_JSON = "application/problem+json"


class Pages(PageNumberPagination):
    page_size = 25
    max_page_size = 200
    page_size_query_param = "page_size"


class ProblemFormatter(ExceptionFormatter):
    """DRF's and Django's errors as RFC 9457, flattened, each with a JSON pointer."""

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        status = HTTPStatus(self.exc.status_code)
        first = error_response.errors[0]
        named = [
            {"pointer": _pointer(error.attr), "code": error.code, "detail": error.detail}
            for error in error_response.errors
            if error.attr
        ]
        code = "invalid" if named else first.code
        detail = "; ".join(f"{e['pointer']}: {e['detail']}" for e in named) or first.detail
        return problem(
            status, code, status.phrase, detail, self.context.get("request"), errors=named
        )


def _pointer(attr: str) -> str:
    """ "items.0.name" -> "/items/0/name" (RFC 6901)."""
    return "/" + attr.replace("~", "~0").replace("/", "~1").replace(".", "/")


def problem(
    status: HTTPStatus,
    code: str,
    title: str,
    detail: str,
    request: Any,
    **extra: Any,
) -> dict[str, Any]:
    """The body of every error answer."""
    return _body(status, code, title, detail, getattr(request, "id", None), **extra)


def _body(
    status: HTTPStatus, code: str, title: str, detail: str, request_id: str | None, **extra: Any
) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": title,
        "status": int(status),
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **{name: value for name, value in extra.items() if value},
    }


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's hook: ours, DRF's and Django's errors alike become problem+json."""
    if (ours := as_problem(exc)) is not None:
        response = _problem_response(ours, context.get("request"))
    else:
        response = standardized_handler(exc, context)
    if response is not None:
        response.content_type = PROBLEM_JSON
    return response


def as_problem(exc: Exception) -> Problem | None:
    """The Problem that this exception is or stands for; None: somebody else's."""
    if isinstance(exc, OperationalError | InterfaceError | RedisError):
        cause = str(exc).partition("\n")[0][:300]
        logger.warning("a store does not answer", error=type(exc).__name__, cause=cause)
        return StoreUnavailable(
            "The platform cannot reach one of its stores just now. Try again in some seconds.",
            retry_after=2,
        )
    if isinstance(exc, RequestDataTooBig):
        return BodyTooLarge("The fields of this request are too large. Send less in them.")
    if isinstance(exc, SuspiciousOperation):
        return BadRequest("The platform does not read a request like this one.")
    return exc if isinstance(exc, Problem) else None


def problem_body(exc: Problem, request_id: str | None) -> dict[str, Any]:
    return _body(
        exc.status, exc.code, exc.title, exc.detail, request_id, errors=exc.errors, **exc.extra
    )


def _problem_response(exc: Problem, request: Any) -> Response:
    body = problem_body(exc, getattr(request, "id", None))
    response = Response(body, status=int(exc.status))
    if exc.retry_after is not None:
        response["Retry-After"] = str(exc.retry_after)
    return response


def problem_page(request: HttpRequest, status: HTTPStatus, code: str, detail: str) -> HttpResponse:
    """An error outside DRF (unknown URL, a bug in middleware) in the API's shape."""
    body = problem(status, code, status.phrase, detail, request)
    return HttpResponse(orjson.dumps(body), status=int(status), content_type=PROBLEM_JSON)
