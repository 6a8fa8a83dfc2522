"""Hostile files, built here byte by byte.

None does harm when it runs: the payloads only try to make a folder in a temporary place, to read
a file that the test planted, to reach a listener of the test's own on this machine, to use up
memory, to loop, or to lie. What they achieve is for the tests to see.
"""

from collections.abc import Callable

from tests.hostile import bombs, files, forgeries, names, pickles, programs
from tests.hostile.bytes import Bait

Group = Callable[[Bait], dict[str, bytes]]

# No model is left of these: they are refused, each with a reason.
REFUSED: tuple[Group, ...] = (
    pickles.opcode_tricks,
    pickles.compressions,
    names.aliases,
    names.programs,
    names.readers,
    names.callers,
    names.patches,
    bombs.bombs,
    files.archives,
    files.skops_files,
    files.boosters,
    files.others,
)
# These may turn out to be a model of sorts, and then answer from behind the fences.
LYING: tuple[Group, ...] = (programs.within, forgeries.forgeries, forgeries.liars)
# These take all the time they are given.
ENDLESS: tuple[Group, ...] = (bombs.endless,)


def corpus(groups: tuple[Group, ...], bait: Bait) -> dict[str, bytes]:
    """The files of these groups by their names."""
    return {name: content for group in groups for name, content in group(bait).items()}
