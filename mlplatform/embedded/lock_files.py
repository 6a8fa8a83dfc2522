"""Writes a lock file from what is installed: `python -m mlplatform.embedded.lock_files NAME`."""

import subprocess
import sys
from pathlib import Path

RUN, DEV = "requirements.lock", "requirements-dev.lock"
HEADERS = {
    RUN: """\
# The exact set that was tested and that `python3 run.py` installs: what requirements.txt asks for
# and what those need, from a fresh resolve on Python 3.11. Made by `make lock`; change
# requirements.txt, not this.
""",
    DEV: f"""\
# What `python3 run.py test` installs on top, from a fresh resolve of requirements-dev.txt.
# Made by `make lock`.
-r {RUN}
""",
}
# `pip freeze` drops the conditions of requirements.txt.
ONLY_ON = {
    "async-timeout": 'python_full_version < "3.11.3"',
    "landlockpy": 'sys_platform == "linux"',
    "seccompy": 'sys_platform == "linux"',
}
# What redis needs on Debian 12's Python 3.11.2, wherever the lock is made.
ALSO = {RUN: ["async-timeout==5.0.1"], DEV: []}


def write(name: str) -> None:
    """Write the lock file of this name, for the environment this Python runs in."""
    frozen = subprocess.run(
        [sys.executable, "-m", "pip", "freeze"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    lines = sorted(map(_with_condition, {*frozen, *ALSO[name]}), key=str.lower)
    if name == DEV:
        known = Path(RUN).read_text().splitlines()
        lines = [line for line in lines if line not in known]
    Path(name).write_text(HEADERS[name] + "\n".join(lines) + "\n")


def _with_condition(line: str) -> str:
    condition = ONLY_ON.get(line.partition("==")[0].lower())
    return f"{line}; {condition}" if condition else line


if __name__ == "__main__":
    write(sys.argv[1])
