"""What the hostile files are made of."""

import pickle
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from tests.artifacts import dump

PROTO, STOP = b"\x80\x04", b"."


@dataclass(frozen=True)
class Bait:
    """What the files are after: a folder to be made, a file to be read, a port to be reached."""

    folder: str
    secret: str
    port: int


@cache
def honest() -> bytes:
    """A small model that must be admitted whatever was tried before."""
    rows = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 1.0]])
    return dump(LogisticRegression().fit(rows, [0, 0, 1, 1]), "pickle")


def text(value: str) -> bytes:
    content = value.encode()
    return b"\x8c" + bytes([len(content)]) + content


def literal(value: Any) -> bytes:
    """The opcodes that push a plain value, without header and end."""
    return pickle.dumps(value, protocol=2)[2:-1]


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def call(callee: bytes, *arguments: Any) -> bytes:
    given = b"".join(one if isinstance(one, bytes) else literal(one) for one in arguments)
    return callee + b"(" + given + b"tR"


def calling(module: str, attribute: str, *arguments: Any) -> bytes:
    """A whole file that calls this."""
    return PROTO + call(name(module, attribute), *arguments) + STOP
