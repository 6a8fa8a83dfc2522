"""The Redis connection of the hot path: short time-outs, no retries, a breaker."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from mlplatform.foundation.breaker import Breaker

Answer = TypeVar("Answer")

# redis-py waits 5 s and retries 10 times by default: a dead cache would cost
# seconds a request. 0.1 s is far above a healthy answer (0.2 ms).
TIMEOUT = 0.1

breaker = Breaker()


@cache
def client() -> redis.Redis:
    """The process's client for `CACHE_URL`. Answers bytes."""
    return redis.Redis.from_url(
        settings.CACHE_URL,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=30,
        max_connections=256,
    )


def attempt(call: Callable[[redis.Redis], Answer]) -> Answer | None:
    """What `call` answers, or None when Redis is away: for uses that fail open."""
    if not breaker.allows():
        return None
    try:
        answer = call(client())
    except redis.RedisError:
        breaker.failed()
        return None
    breaker.succeeded()
    return answer
