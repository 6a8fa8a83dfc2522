"""What this process remembers of who answers. Bounded, and safe to share by threads.

An entry is true while its organization's generation is the one it was found
with: everything that changes who answers makes that grow (`accounts.generation`),
and the gate has compared it with Redis' in the request that asks here.
"""

import threading
from collections import OrderedDict

from accounts.models import Organization
from registry.models import CHAMPION
from registry.serving import Served, resolve

# An entry takes some 2 KB beside its signature, and that some 500 bytes an input or category.
SIZE = 4096
MOST_COLUMNS = 500_000

_lock = threading.Lock()
_remembered: OrderedDict[tuple, tuple[int, Served]] = OrderedDict()
_columns = 0


def find(
    organization: Organization, model: str, *, version: int | None = None, alias: str = CHAMPION
) -> Served:
    """`registry.serving.resolve`, asked of PostgreSQL once a generation. Raises what it raises."""
    known = recall(organization, model, version=version, alias=alias)
    if known is not None:
        return known
    served = resolve(organization=organization, model=model, version=version, alias=alias)
    _remember(
        (organization.pk, organization.only_models, model, version, alias), organization, served
    )
    return served


def recall(
    organization: Organization, model: str, *, version: int | None = None, alias: str = CHAMPION
) -> Served | None:
    """The same from memory alone; None where it would have to be asked for."""
    key = (organization.pk, organization.only_models, model, version, alias)
    with _lock:
        generation, served = _remembered.get(key, (None, None))
        if generation != organization.generation:
            return None
        _remembered.move_to_end(key)
        return served


def _remember(key: tuple, organization: Organization, served: Served) -> None:
    """The one that was asked for longest ago makes room."""
    global _columns
    with _lock:
        _forget(key)
        _remembered[key] = organization.generation, served
        _columns += _weight(served)
        while len(_remembered) > SIZE or (_columns > MOST_COLUMNS and len(_remembered) > 1):
            _forget(next(iter(_remembered)))


def _forget(key: tuple) -> None:
    global _columns
    _, served = _remembered.pop(key, (None, None))
    _columns -= _weight(served) if served else 0


def _weight(served: Served) -> int:
    return sum(1 + len(column.categories or ()) for column in served.signature.inputs)


def clear() -> None:
    global _columns
    with _lock:
        _remembered.clear()
        _columns = 0
