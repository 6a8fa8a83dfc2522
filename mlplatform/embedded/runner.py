"""Asking the runner how it is, over its control socket (registry/runner/requests.py)."""

import json
import socket
from pathlib import Path


def status(path: Path) -> dict | None:
    """The runner's status; None while it does not answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.settimeout(5)
        try:
            control.connect(str(path))
            control.sendall(b'{"op": "status"}')
            return json.loads(control.recv(1_000_000))
        except (OSError, ValueError):
            return None


def describe(found: dict) -> str:
    """One line on the sandbox: complete, or which fences are missing."""
    fences = found.get("fences", {})
    gaps = ", ".join(fences.get("broken", {})) or "seccomp"
    if fences.get("allowed_incomplete"):
        return f"ITS SANDBOX HAS GAPS ({gaps}) AND OPENS MODELS: ALLOW_INCOMPLETE_SANDBOX=yes"
    if fences.get("complete"):
        return "its sandbox is complete"
    return f"its sandbox has gaps ({gaps}), so it opens no models"


def describe_hosts(found: dict) -> str:
    """One line on the processes that hold models."""
    used, budget = (found.get(name, 0) / 2**20 for name in ("memory", "memory_budget"))
    parked = found.get("parked", 0)
    hosts = f"{found.get('hosts', 0)} hosts of models"
    crashing = f", {parked} wait because they keep crashing" if parked else ""
    return f"{hosts}{crashing}, {used:.0f} of {budget:.0f} MiB"
