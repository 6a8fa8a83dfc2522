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

# An entry takes some 2 KB beside its signature.
SIZE = 4096

_lock = threading.Lock()
_remembered: OrderedDict[tuple, tuple[int, Served]] = OrderedDict()


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
    with _lock:
        _remembered[key] = organization.generation, served
        _remembered.move_to_end(key)
        while len(_remembered) > SIZE:
            _remembered.popitem(last=False)


def clear() -> None:
    with _lock:
        _remembered.clear()
