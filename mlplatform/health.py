"""Probes for machines and one page of truth for people.

`/livez` does no I/O. `/readyz` is 503 only while draining, before the
migrations or with the database away and nothing warm: one database blip must
not take every process out of service (docs/adr/0006).
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from redis import RedisError

from mlplatform.foundation import redis
from registry.sandbox import Runner, SandboxError

Facts = dict[str, Any]


class ProbeMiddleware:
    """Answers the probes before the Host header is looked at: a probe has any."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.probes = {"/livez": livez, "/readyz": readyz, "/startupz": startupz}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = self.probes.get(request.path)
        return probe() if probe else self.get_response(request)


def livez() -> HttpResponse:
    return _answer(200, {"status": "ok"})


def startupz() -> HttpResponse:
    migrations = check(_migrations)
    ready = migrations["status"] == "ok"
    return _answer(
        200 if ready else 503, {"status": migrations["status"], "migrations": migrations}
    )


def readyz() -> HttpResponse:
    if Path(settings.DRAIN_FLAG).exists():
        return _answer(503, {"status": "draining"})
    checks = {"database": check(_database), "redis": check(_redis), "runner": check(_fences)}
    healthy = all(found["status"] == "ok" for found in checks.values())
    return _answer(200, {"status": "ok" if healthy else "degraded", **checks})


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Everything in one JSON: database, Redis, storage, runner, each with its time."""
    checks = {
        "database": check(_database),
        "migrations": check(_migrations),
        "redis": check(_redis),
        "storage": check(_storage),
        "runner": check(_runner),
    }
    healthy = all(found["status"] == "ok" for found in checks.values())
    body = {"status": "ok" if healthy else "degraded", "version": settings.VERSION, **checks}
    return _answer(200 if healthy else 503, body)


def check(ask: Callable[[], Facts]) -> Facts:
    """Run one check: its facts, "ok" or "error", and how long it took. Never raises."""
    started = time.perf_counter()
    try:
        facts = {"status": "ok", **ask()}
    except (DatabaseError, RedisError, OSError, SandboxError) as error:
        # The message may hold addresses: its class is enough for strangers, the log has the rest.
        facts = {"status": "error", "error": type(error).__name__}
    return {**facts, "time_ms": round((time.perf_counter() - started) * 1000, 1)}


def _database() -> Facts:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {}


def _migrations() -> Facts:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return {"status": "ok" if not missing else "error", "unapplied": len(missing)}


def _redis() -> Facts:
    redis.client().ping()
    return {}


def _storage() -> Facts:
    name = default_storage.save(f"health/{uuid4()}", ContentFile(b"ok"))
    default_storage.delete(name)
    return {}


def _fences() -> Facts:
    """Whether models can be opened and asked, and behind what."""
    return _status_of_runner(Runner(settings.RUNNER_SOCKET).status(timeout=0.5))


def _runner() -> Facts:
    status = Runner(settings.RUNNER_SOCKET).status()
    # Numbers only: whose they are is nobody's business here.
    hosts = {name: status[name] for name in ("hosts", "replicated", "parked", "loads")}
    memory = {name: status[name] for name in ("memory", "memory_budget")}
    busy = round(sum(child["busy"] for child in status["children"]), 2)
    return {
        **_status_of_runner(status),
        **hosts,
        **memory,
        "children": len(status["children"]),
        "busy_cores": busy,
        "libraries": status["libraries"],
    }


def _status_of_runner(status: Facts) -> Facts:
    fences = status["fences"]
    healthy = fences["complete"] and not fences["allowed_incomplete"]
    return {"status": "ok" if healthy else "error", "fences": fences}


def _answer(status: int, body: Facts) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json")
