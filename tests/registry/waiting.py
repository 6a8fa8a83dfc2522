from collections.abc import Callable
from time import monotonic, sleep


def eventually(is_so: Callable[[], bool], seconds: float = 3.0) -> bool:
    """Whether it becomes so in time: what ends, ends a moment after it is told to."""
    until = monotonic() + seconds
    while not is_so():
        if monotonic() > until:
            return False
        sleep(0.01)
    return True
