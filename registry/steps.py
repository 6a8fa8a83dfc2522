"""The steps of an admission, written to the version's row as they happen.

`ModelVersion.steps` is a list of {"name", "state", "started_at", "seconds", "note"}; states are
waiting, running, done, skipped and failed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from registry.models import ModelVersion

RECEIVED = "received"
# In their order; later ones need what earlier ones found.
OPENING = ("opened", "signature", "compiled", "sample", "verified")
NAMES = (RECEIVED, "scanned", *OPENING)

Step = dict[str, Any]


def first_steps(*, at: datetime) -> list[Step]:
    """Of a version whose bytes are in the storage."""
    received = {**_waiting(RECEIVED), "state": "done", "started_at": at.isoformat()}
    return [received, *map(_waiting, NAMES[1:])]


def _waiting(name: str) -> Step:
    return {"name": name, "state": "waiting", "started_at": None, "seconds": None, "note": ""}


class Steps:
    """What one worker writes of its admission. `at` is when it began."""

    def __init__(self, version: ModelVersion, *, at: datetime) -> None:
        self._version = version
        self._at = at
        self._began = perf_counter()

    def restart(self) -> None:
        """From the beginning, also when another worker died on the way."""
        received = [step for step in self._version.steps if step["name"] == RECEIVED]
        self._version.steps = [*received, *map(_waiting, NAMES[1:])]

    @contextmanager
    def run(self, name: str) -> Iterator[Step]:
        """The step lasts as long as the block, which may set its state and its note.

        An exception leaves it running: who catches it says how it `stop`ped. Raises ClaimLost.
        """
        step = self.find(name)
        started = perf_counter()
        step.update(state="running", started_at=self._now().isoformat())
        # Its end is written together with the beginning of the next one.
        self._version.write_steps()
        try:
            yield step
        finally:
            step["seconds"] = round(perf_counter() - started, 3)
        if step["state"] == "running":
            step["state"] = "done"

    def split(self, whole: str, parts: dict[str, float]) -> None:
        """Steps that ended inside another one, which took no time for them itself.

        How long they took is the child's claim, so never more than the whole did.
        """
        outer = self.find(whole)
        for name, claimed in parts.items():
            # Zero first: of NaN, which is neither more nor less, max gives the first.
            seconds = min(max(0.0, claimed), outer["seconds"])
            outer["seconds"] = round(outer["seconds"] - seconds, 3)
            self.find(name).update(state="done", seconds=round(seconds, 3))
        began = datetime.fromisoformat(outer["started_at"])
        for step in (outer, *map(self.find, parts)):
            step["started_at"] = began.isoformat()
            began += timedelta(seconds=step["seconds"])

    def skip(self, names: tuple[str, ...], *, note: str) -> None:
        """The note stands at the first of them."""
        for name in names:
            self.find(name).update(state="skipped", note=note if name == names[0] else "")

    def stop(self, state: str, *, note: str) -> None:
        """The step that was reached ends in `state`, and why; after a failure none follows."""
        reached = [step for step in self._version.steps if step["state"] in ("running", "waiting")]
        for step in reached[:1]:
            step.update(state=state, note=note)
        if state == "failed":
            for step in reached[1:]:
                step["state"] = "skipped"

    def find(self, name: str) -> Step:
        return next(step for step in self._version.steps if step["name"] == name)

    def _now(self) -> datetime:
        return self._at + timedelta(seconds=perf_counter() - self._began)
