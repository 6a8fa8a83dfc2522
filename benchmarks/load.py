"""Driving a server with wrk, and what that measured."""

import json
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Each request another body: what is in memory from the last one must not help.
SCRIPT = """
local bodies = {{}}
for line in io.lines("{bodies}") do bodies[#bodies + 1] = line end
local at = math.random(#bodies)
wrk.method = "POST"
{headers}
request = function()
  at = at % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end
"""


@dataclass(frozen=True)
class Measured:
    """Times in milliseconds."""

    per_second: float
    p50: float
    p99: float
    failed: int


@dataclass(frozen=True)
class Target:
    url: str
    bodies: Sequence[bytes]
    headers: dict[str, str]


def drive(target: Target, *, connections: int, seconds: int, core: int) -> Measured:
    """wrk on a core of its own. Raises SystemExit when requests fail."""
    with tempfile.TemporaryDirectory() as folder:
        bodies, script = Path(folder, "bodies"), Path(folder, "script.lua")
        bodies.write_bytes(b"\n".join(target.bodies) + b"\n")
        headers = {"Content-Type": "application/json", **target.headers}
        lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())
        script.write_text(SCRIPT.format(bodies=bodies, headers=lines))
        command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
        command += ["--latency", "-s", str(script), target.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return _understood(done.stdout)


def _understood(printed: str) -> Measured:
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    errors = re.search(r"Socket errors: .*", printed)
    if errors:
        raise SystemExit(f"wrk: {errors[0]}")
    return Measured(
        per_second=float(re.search(r"Requests/sec:\s+([\d.]+)", printed)[1]),
        p50=_milliseconds(printed, "50%"),
        p99=_milliseconds(printed, "99%"),
        failed=int(failed[1]) if failed else 0,
    )


def _milliseconds(printed: str, quantile: str) -> float:
    value, unit = re.search(rf"{quantile}\s+([\d.]+)(us|ms|s)", printed).groups()
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def answer_of(target: Target) -> dict:
    """One answer, so that a benchmark of error pages is noticed."""
    headers = {"Content-Type": "application/json", **target.headers}
    request = urllib.request.Request(target.url, target.bodies[0], headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def wait_for(url: str, *, seconds: float = 120) -> None:
    """Until something answers there, were it with an error. Raises SystemExit."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"nothing answers at {url}")
