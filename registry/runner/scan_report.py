"""What can be told of an artifact before anything in it is opened."""

from typing import Any, BinaryIO

from registry.formats import SKLEARN, sniff
from registry.runner import scan
from registry.runner.facts import clean
from registry.runner.loading import decompressed

MAX_IMPORTS = 500


def scan_artifact(file: BinaryIO) -> dict[str, Any]:
    """The format by its bytes, and what a pickle would import.

    No code of the artifact has run in this process, so unlike an inspector's report this one is
    ours; only scanners can be deceived. Raises Refused.
    """
    content = file.read()
    fmt = sniff(content)
    imports = scan.imports_of(decompressed(content)) if fmt == SKLEARN else []
    return {"format": fmt, "imports": [clean(name) for name in imports[:MAX_IMPORTS]]}
