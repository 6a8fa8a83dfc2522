"""The naive runner on a kernel where one fence is missing, or so its self-test finds."""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT))

from registry.runner import __main__ as program  # noqa: E402

serve = program._serve


def serve_with_a_gap(options):
    # Not at the top: libraries change the environment, which is looked at first.
    from registry.runner.preload import preload  # noqa: PLC0415

    preload()
    from registry.runner import probes  # noqa: PLC0415

    probes.FORBIDDEN["walk through the wall"] = lambda: "on the other side"
    return serve(options)


if __name__ == "__main__":
    program._serve = serve_with_a_gap
    sys.exit(program.main(sys.argv[1:]))
