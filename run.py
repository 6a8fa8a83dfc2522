#!/usr/bin/env python3
"""The one command: `python3 run.py` starts the platform, `run.py test` checks it. See README.md."""

# Plain enough for any old Python to read, so that it can say what is missing.
import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.stderr.write(
        "mlplatform needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".\n"
        "Fix: install python3.11 or newer, then: python3.11 run.py\n"
    )
    sys.exit(2)

from mlplatform.embedded.command_line import main

sys.exit(main())
