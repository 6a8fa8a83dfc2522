"""Answers that were given before, row by row, in Redis.

A key holds the organization, the artifact's digest, the methods and the
canonical row. So nothing is ever invalidated (another version is another
key), and no tenant can be answered with what another one's model said.
Fails open: without Redis every row is computed.
"""

import random
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import blake2b

import numpy as np
import orjson
import redis
from django.conf import settings

from inference.outputs import RowAnswer
from mlplatform.foundation.redis import attempt
from registry.rows import Block, Rows
from registry.serving import Served

# Above this a request is answered without the cache: one pass of the model over many rows costs
# less than as many look-ups, and one caller would push out everybody's answers.
MAX_ROWS = 1000

_MISSING = b"\xff\xff\xff\xff"


def keys_for(served: Served, methods: Sequence[str], rows: Rows) -> list[bytes]:
    """One key a row, in their order; none where these rows are not cached."""
    if not served.is_cached or settings.PREDICTION_CACHE_SECONDS <= 0 or rows.count > MAX_ROWS:
        return []
    base = blake2b(digest_size=32, person=b"prediction")
    base.update(served.organization_id.bytes)
    base.update(orjson.dumps([served.digest, methods, [_kind(block) for block in rows.blocks]]))
    keys = []
    for parts in zip(*(_canonical(block) for block in rows.blocks), strict=True):
        row = base.copy()
        for part in parts:
            row.update(part)
        keys.append(b"p:" + row.digest())
    return keys


def _kind(block: Block) -> int:
    """How a block's rows are to be read: as so many numbers, or (0) as a text."""
    return 0 if isinstance(block, list) else block.shape[1]


def _canonical(block: Block) -> Iterator[bytes]:
    """Each row's bytes: equal if and only if the model is asked the same."""
    if isinstance(block, list):
        return map(_text, block)
    numbers = block + 0.0  # -0.0 becomes 0.0
    numbers[np.isnan(numbers)] = np.nan  # NaN has many bit patterns
    return (row.tobytes() for row in numbers)


def _text(value: str | None) -> bytes:
    if value is None:
        return _MISSING
    encoded = value.encode()
    return len(encoded).to_bytes(4) + encoded


def load(values: Sequence[bytes | None]) -> list[RowAnswer | None]:
    """The answers in what Redis gave for keys; None for each it has not."""
    return [None if value is None else _loaded(value) for value in values]


def _loaded(value: bytes) -> RowAnswer | None:
    try:
        prediction, odds = orjson.loads(value)
    except ValueError:  # damaged, or another release's
        return None
    return prediction, odds


def write(keys: Sequence[bytes], answers: Sequence[RowAnswer]) -> None:
    attempt(partial(_write, values=dict(zip(keys, answers, strict=True))))


def _write(client: redis.Redis, *, values: dict[bytes, RowAnswer]) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for key, answer in values.items():
            pipeline.set(key, orjson.dumps(answer), ex=_lifetime())
        pipeline.execute()


def _lifetime() -> int:
    """Seconds, up to a tenth more or less: what was asked at once must not expire at once."""
    jitter = random.uniform(0.9, 1.1)  # noqa: S311 (no secret)
    return max(1, round(settings.PREDICTION_CACHE_SECONDS * jitter))
