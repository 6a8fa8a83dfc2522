"""The short way of a warm prediction: from WSGI's environ to the answer, without Django's layers.

It answers what it can answer from memory: a credential and a route that are
remembered, rows that fit, a gate that lets them pass. Everything else, every
refusal too, it leaves to Django (`PredictView`), to which nothing has happened
by then but that the body was read and put back. So what is wrong with a request
is found and worded in one place, and this one holds no rule of its own.
"""

import io
import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils.timezone import now
from rest_framework.exceptions import APIException

from accounts import access, api_keys, families, limits, snapshot, tokens
from accounts.limits import Verdict
from accounts.principals import Principal
from accounts.roles import Capability
from inference import pipeline
from inference.api import answers, bodies
from inference.api.shapes import Asked
from inference.pipeline import Caller, Understood
from mlplatform.foundation import body_length, client_address
from mlplatform.foundation.errors import Problem
from registry import routing

PREFIX = "/api/v1/predict/"
_MODEL = re.compile(r"[-a-zA-Z0-9_]{1,100}", re.ASCII)
# Sessions, CORS, another encoding, organization or kind of answer: no business of this way.
_LONG_WAY = (
    "HTTP_COOKIE",
    "HTTP_ORIGIN",
    "HTTP_X_ORGANIZATION",
    "HTTP_CONTENT_ENCODING",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_X_HTTP_METHOD_OVERRIDE",
)
_JSON = (None, "", "*/*", "application/json")

Environ = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that has passed the gate, its rows understood."""

    principal: Principal
    verdict: Verdict
    asked: Asked
    question: Understood
    found: Any

    def answer(self, *, request_id: str) -> tuple[dict[str, Any], str]:
        """The answer's body and its X-Cache. Raises what `pipeline.answer` raises."""
        key = self.principal.key
        caller = Caller(
            user_id=self.principal.user.pk,
            api_key_id=key and key.pk,
            request_id=request_id,
        )
        given = pipeline.answer(self.question, self.found, caller=caller)
        return answers.body_of(self.asked, self.question, given), given.cache


def admit(environ: Environ) -> Admitted | None:
    """The request, let in; None: not one for the short way, ask Django."""
    if not _is_plain(environ):
        return None
    credential = _credential_in(environ)
    if credential is None:
        return None
    principal, denial_key = credential
    understood = _understood(environ, principal)
    if understood is None:
        return None
    asked, question = understood
    answer = access.pass_warm(
        principal,
        denial_key=denial_key,
        predictions=len(question.instances),
        wanted=question.wanted,
        at=now(),
    )
    if answer is None:
        return None
    _note_use(principal, environ)
    verdict = limits.verdict(limit=principal.rate_limit, used=answer.used)
    return Admitted(principal, verdict, asked, question, answer.found)


def _is_plain(environ: Environ) -> bool:
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ["PATH_INFO"].startswith(PREFIX)
        and not environ.get("QUERY_STRING")
        and environ.get("HTTP_ACCEPT") in _JSON
        and not bodies.is_csv(environ.get("CONTENT_TYPE") or "")
        and not any(name in environ for name in _LONG_WAY)
    )


def _credential_in(environ: Environ) -> tuple[Principal, str] | None:
    """Who is remembered for it and may predict, and the key that would deny a token."""
    key = environ.get("HTTP_X_API_KEY")
    scheme, _, bearer = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if key is None and bearer.startswith(api_keys.MARK):
        key = bearer
    if scheme.lower() != "bearer" and "HTTP_X_API_KEY" not in environ:
        return None
    found = _of_token(bearer) if key is None else _of_key(key)
    if found is None or found[0].standing is None or found[0].has_ended(at=now()):
        return None
    return found if Capability.PREDICT in found[0].standing.capabilities else None


def _of_key(secret: str) -> tuple[Principal, str] | None:
    principal = snapshot.get(("key", api_keys.fingerprint(secret)))
    return principal and (principal, "")


def _of_token(raw: str) -> tuple[Principal, str] | None:
    try:
        token = tokens.read_access(raw)
    except APIException:
        return None
    principal = snapshot.get(("person", token.user_id, token.family, None))
    if principal is None or not token.is_of_password(principal.user):
        return None
    return principal, families.denial_key(token.family)


def _understood(environ: Environ, principal: Principal) -> tuple[Asked, Understood] | None:
    model = environ["PATH_INFO"].removeprefix(PREFIX)
    served = _MODEL.fullmatch(model) and routing.recall(principal.standing.organization, model)
    body = served and _body_of(environ)
    if not body:
        return None
    try:
        asked = bodies.parse(body, served.signature)
    except (Problem, APIException):
        return None
    use_cache = "no-cache" not in environ.get("HTTP_CACHE_CONTROL", "")
    question = pipeline.understand(served, asked.instances, asked.pointers, use_cache=use_cache)
    return None if question.fault else (asked, question)


def _body_of(environ: Environ) -> bytes | None:
    length = body_length.stated(environ)
    if not 0 < length <= settings.MAX_PREDICT_BYTES:
        return None
    try:
        body = environ["wsgi.input"].read(length)
    except OSError:
        return None  # the client has gone: Django knows what to do
    environ["wsgi.input"] = io.BytesIO(body)  # Django may have to read it again
    return body if len(body) == length else None


def _note_use(principal: Principal, environ: Environ) -> None:
    key, at = principal.key, now()
    if key is None or not key.is_use_due(at=at):
        return
    close_old_connections()  # else Django does at the begin of a request
    try:
        key.mark_used(at=at, ip=client_address.of(environ))
    except (OperationalError, InterfaceError):
        # When it was last used is worth less than the answer.
        pass
