"""Django's WSGI handler, with a short way for the warm predictions of programs.

Middleware, DRF and Django's request and response objects cost more than such an
answer (docs/adr/0013). `inference.api.express` says which requests it can answer;
this module gives the answer the headers, the request id and the log line that
every answer has. Both ways answer alike: tests/test_handler.py compares them.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import structlog
from csp.constants import HEADER as CSP
from csp.utils import build_policy
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http.request import split_domain_port, validate_host

from accounts.throttling import headers_of
from inference.api import express
from mlplatform.api import PROBLEM_JSON, as_problem, problem_body
from mlplatform.foundation.errors import ServerFault
from mlplatform.middleware import log_request, request_id_of, security_headers
from mlplatform.wire import to_json

logger = structlog.get_logger(__name__)

ENDPOINT = f"{express.PREFIX}<model:model>"

Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], Any]


class Handler(WSGIHandler):
    def __init__(self) -> None:
        super().__init__()
        self._headers = [*security_headers().items(), (CSP, build_policy()), *_transport()]

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        if not environ["PATH_INFO"].startswith(express.PREFIX) or not _is_of_ours(environ):
            return super().__call__(environ, start_response)
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        admitted = express.admit(environ)
        if admitted is None:
            return super().__call__(environ, start_response)
        status, body, headers = _answer(admitted, request_id)
        headers += [*self._headers, *headers_of(admitted.verdict)]
        headers += [("X-Request-Id", request_id), ("Content-Length", str(len(body)))]
        _log(admitted, status, started)
        start_response(status, headers)
        return [body]


def _answer(admitted: express.Admitted, request_id: str) -> tuple[str, bytes, Headers]:
    try:
        body, cache = admitted.answer(request_id=request_id)
    except Exception as error:
        problem = as_problem(error)
        if problem is None:
            # Not Django's way: the rows are counted already, and may have been answered.
            logger.exception("a prediction failed by a fault of ours")
            problem = ServerFault(
                "The platform failed on this request. The log has the reason under the request id."
            )
        retry = [] if problem.retry_after is None else [("Retry-After", str(problem.retry_after))]
        body = orjson.dumps(problem_body(problem, request_id))
        status = f"{int(problem.status)} {problem.status.phrase}"
        return status, body, [("Content-Type", PROBLEM_JSON), *retry]
    return "200 OK", to_json(body), [("Content-Type", "application/json"), ("X-Cache", cache)]


def _log(admitted: express.Admitted, status: str, started: float) -> None:
    served = admitted.question.served
    structlog.contextvars.bind_contextvars(
        model_id=str(served.model_id), model_version=served.version_number
    )
    log_request(
        user_id=admitted.principal.user.pk,
        endpoint=ENDPOINT,
        method="POST",
        status=int(status[:3]),
        seconds=time.perf_counter() - started,
    )


def _is_of_ours(environ: dict[str, Any]) -> bool:
    """Whether the request reached us by a name and a transport that are ours."""
    host, _ = split_domain_port(environ.get("HTTP_HOST", ""))
    return validate_host(host, settings.ALLOWED_HOSTS) and (
        not settings.SECURE_SSL_REDIRECT or _is_secure(environ)
    )


def _is_secure(environ: dict[str, Any]) -> bool:
    if settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        return environ.get(name) == value
    return environ.get("wsgi.url_scheme") == "https"


def _transport() -> Headers:
    """What django.middleware.security says of it."""
    if not settings.SECURE_HSTS_SECONDS:
        return []
    parts = [f"max-age={settings.SECURE_HSTS_SECONDS}"]
    parts += ["includeSubDomains"] if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else []
    parts += ["preload"] if settings.SECURE_HSTS_PRELOAD else []
    return [("Strict-Transport-Security", "; ".join(parts))]
