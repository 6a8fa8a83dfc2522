"""Errors outside DRF: a page for people, problem+json for programs; both with the request id."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from mlplatform.api import problem_page


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    detail = "The platform could not read this request. Go back, reload the page and try again."
    return _answer(request, HTTPStatus.BAD_REQUEST, "bad_request", detail)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    detail = str(exception) or "Your account may not do this."
    return _answer(request, HTTPStatus.FORBIDDEN, "permission_denied", detail)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's hook for a form without a valid token; `reason` is for developers."""
    detail = (
        "This form was open for too long, or your browser did not send our cookie. "
        "Go back, reload the page and send it again."
    )
    return _answer(request, HTTPStatus.FORBIDDEN, "csrf_failed", detail)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    detail = f"There is nothing at {request.path[:200]}."
    if is_for_program(request):
        detail += " See /docs for what there is."
    return _answer(request, HTTPStatus.NOT_FOUND, "not_found", detail)


def too_large(request: HttpRequest, detail: str) -> HttpResponse:
    return _answer(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request_too_large", detail)


def server_error(request: HttpRequest) -> HttpResponse:
    detail = "The platform failed on this request. The log has the reason under the request id."
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "error", detail)


def is_for_program(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def page(request: HttpRequest, status: HTTPStatus, title: str, detail: str) -> HttpResponse:
    # Without the request in the context: who is signed in is a query, and the database may be
    # what is broken.
    context = {
        "status": int(status),
        "title": title,
        "detail": detail,
        "request_id": getattr(request, "id", ""),
    }
    return HttpResponse(render_to_string("problem.html", context), status=int(status))


def _answer(request: HttpRequest, status: HTTPStatus, code: str, detail: str) -> HttpResponse:
    if is_for_program(request):
        return problem_page(request, status, code, detail)
    return page(request, status, status.phrase, detail)
