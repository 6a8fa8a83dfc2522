"""What this process remembers of who its callers are. Bounded, and safe to share by threads."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

from accounts.principals import Principal

# A principal takes some 5 KB.
SIZE = 4096

_lock = threading.Lock()
_remembered: OrderedDict[Hashable, Principal] = OrderedDict()


def get(credential: Hashable) -> Principal | None:
    with _lock:
        principal = _remembered.get(credential)
        if principal is not None:
            _remembered.move_to_end(credential)
        return principal


def put(credential: Hashable, principal: Principal) -> None:
    """The one that was asked for longest ago makes room."""
    with _lock:
        _remembered[credential] = principal
        _remembered.move_to_end(credential)
        while len(_remembered) > SIZE:
            _remembered.popitem(last=False)


def drop(credential: Hashable) -> None:
    with _lock:
        _remembered.pop(credential, None)


def clear() -> None:
    with _lock:
        _remembered.clear()
