"""The shape of every anticipated error. Each app's `errors.py` has its own tree of them."""

from http import HTTPStatus
from typing import Any


class Problem(Exception):
    """An error of ours, told to the caller as RFC 9457 problem+json.

    `detail` is for a person and says what to do. `errors` are the single
    faults: dicts of `pointer` (JSON pointer into the request), `code` and
    `detail`. `retry_after` is in seconds. Anything in `extra` is added to the
    answer as it is.
    """

    status: HTTPStatus = HTTPStatus.BAD_REQUEST
    code: str = "bad_request"
    title: str = "The request cannot be carried out"

    def __init__(
        self,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        retry_after: int | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []
        self.retry_after = retry_after
        self.extra = extra


class BadRequest(Problem):
    """Django refuses to read this request: too many fields, a lying header."""


class BodyTooLarge(Problem):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "request_too_large"
    title = "The request is too large"


class StoreUnavailable(Problem):
    """PostgreSQL, Redis or the artifact storage does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "store_unavailable"
    title = "A store of the platform does not answer"


class ServerFault(Problem):
    """A fault of ours where Django's own answer to it is out of reach."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "error"
    title = "Internal Server Error"
