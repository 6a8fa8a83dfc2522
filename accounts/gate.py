"""The one call of Redis that a request costs: is what we remember true, and is it within limits?

One script, so that it is one round trip and nothing comes between its steps.
It changes nothing unless it lets the request pass, except that a request over
the limit is counted too.

What a view wants read from Redis rides along: `Question.wanted`, answered in
`Answer.found` where the request passed. The prediction cache's keys are such.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from redis import Redis
from redis.commands.core import Script

from accounts import generation
from mlplatform.foundation.redis import attempt, client

# A window is counted for a minute; clocks of two processes may differ by some seconds.
RATE_KEY_SECONDS = 90

_SCRIPT = """
local mine, fresh = tonumber(ARGV[1]), ARGV[2] == '1'
if KEYS[1] ~= '' then
  local known = redis.call('GET', KEYS[1])
  if not fresh and known ~= ARGV[1] then return {known and 'stale' or 'forgotten', 0, 0} end
  if fresh and mine > tonumber(known or '-1') then
    redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
  end
end
if KEYS[2] ~= '' and redis.call('EXISTS', KEYS[2]) == 1 then return {'denied', 0, 0} end

local asked, last = tonumber(ARGV[6]), 3 + tonumber(ARGV[7])
local used = {}
for i = 4, last do
  used[i] = redis.call('GET', KEYS[i])
  if not used[i] then return {'uncounted', 0, i - 4} end
end

local full = nil
for i = 4, last do
  if not full and tonumber(used[i]) + asked > tonumber(ARGV[i + 5]) then full = i - 4 end
end
if full and ARGV[8] == '1' then return {'exhausted', 0, full} end

local count = redis.call('INCR', KEYS[3])
if count == 1 then redis.call('EXPIRE', KEYS[3], ARGV[5]) end
if count > tonumber(ARGV[4]) then return {'limited', count, 0} end

if full then return {'exhausted', count, full} end
for i = 4, last do redis.call('INCRBY', KEYS[i], asked) end
if last == #KEYS then return {'passed', count, 0} end
return {'passed', count, 0, redis.call('MGET', unpack(KEYS, last + 1))}
"""


class State(StrEnum):
    PASSED = "passed"
    STALE = "stale"  # something changed since: load again
    FORGOTTEN = "forgotten"  # Redis does not know; it lost the number, or never had it
    DENIED = "denied"  # the token's family was revoked
    LIMITED = "limited"
    EXHAUSTED = "exhausted"  # a quota, see `Answer.quota`
    UNCOUNTED = "uncounted"  # a quota's counter is missing: seed it and ask again


@dataclass(frozen=True, slots=True)
class Quota:
    key: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`generation_key` empty: nothing is remembered. `is_fresh`: just loaded from PostgreSQL.

    `asks_again`: where a quota is exhausted the request comes again, and is counted then.
    """

    rate_key: str
    rate_limit: int
    generation_key: str = ""
    generation: int = -1
    is_fresh: bool = False
    denial_key: str = ""
    quotas: Sequence[Quota] = ()
    predictions: int = 0
    wanted: Sequence[bytes] = ()
    asks_again: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """`used` is how many requests the window has; `quota` the index of the one in question.

    `found` are the values of the wanted keys, None for each that Redis has not.
    """

    state: State
    used: int
    quota: int
    found: Sequence[bytes | None] = ()


def ask(question: Question) -> Answer | None:
    """None when Redis is away."""
    script = _script(client())
    keys: list[str | bytes] = [question.generation_key, question.denial_key, question.rate_key]
    arguments: list[int] = [
        question.generation,
        int(question.is_fresh),
        int(generation.LIFETIME.total_seconds()),
        question.rate_limit,
        RATE_KEY_SECONDS,
        question.predictions,
        len(question.quotas),
        int(question.asks_again),
    ]
    keys += [quota.key for quota in question.quotas]
    keys += question.wanted
    arguments += [quota.limit for quota in question.quotas]
    told = attempt(lambda redis: script(keys, arguments, client=redis))
    return told and Answer(State(told[0].decode()), told[1], told[2], *told[3:])


@cache
def _script(redis: Redis) -> Script:
    """By its digest, which Redis knows after the first time."""
    return redis.register_script(_SCRIPT)
