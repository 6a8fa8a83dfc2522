"""The runner: a program of its own, the only one that opens models.

    python -I -B registry/runner/__main__.py --socket PATH

It holds no secret: it starts itself again with an environment made from nothing.
Prints one line when it accepts connections.
"""

import argparse
import ctypes
import os
import signal
import sys
from functools import partial
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or SIGINT; answers with the exit code."""
    sys.path.insert(0, str(PROJECT))
    from registry.runner import environment

    if not environment.is_clean():
        program = [sys.executable, "-I", "-B", str(Path(__file__).resolve()), *arguments]
        os.execve(sys.executable, program, environment.CLEAN)  # noqa: S606  ourselves again
    options = _options(arguments)
    _let_go_of_the_launcher()
    if options.die_with_parent is not None:
        _die_with_parent(options.die_with_parent)
    return _serve(options)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="runner", description=__doc__.splitlines()[0])
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    _add_rules(parser)
    parser.add_argument(
        "--die-with-parent",
        type=int,
        nargs="?",
        const=0,
        metavar="PID",
        help="end when the process that started this one does (which is PID)",
    )
    parser.add_argument(
        "--allow-incomplete-sandbox",
        choices=("yes", "no"),
        nargs="?",
        const="yes",
        default="no",
        help="open models though a fence is missing: only for models you made yourself",
    )
    return parser.parse_args(arguments)


def _add_rules(parser: argparse.ArgumentParser) -> None:
    number = partial(parser.add_argument, type=int)
    number("--max-hosts", default=128, help="live hosts of models")
    number("--memory-budget", default=0, metavar="BYTES", help="of all; 0: half of the machine's")
    number("--recycle-requests", default=1_000_000, help="then a host is replaced; 0: never")
    number("--recycle-growth", default=256 << 20, metavar="BYTES", help="the same by memory")
    number("--max-replicas", default=0, help="hosts of one hot model; 0: one a core")
    number("--loads-at-once", default=0, help="models being loaded; 0: one a core and two more")
    parser.add_argument("--idle-seconds", type=float, default=1800, help="then a host ends")


def _let_go_of_the_launcher() -> None:
    """Whatever it left open is none of ours, and every child would begin with it."""
    os.closerange(3, 65536)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _die_with_parent(expected: int) -> None:
    libc = ctypes.CDLL(None)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise SystemExit("The kernel does not tell about the parent's death.")
    # It may have died before we asked. Without a PID, init as the parent means just that.
    parent = os.getppid()
    if parent != expected if expected else parent == 1:
        raise SystemExit("The parent is gone.")


def _serve(options: argparse.Namespace) -> int:
    if sys.platform != "linux":
        sys.stderr.write(
            "Models are opened only behind Linux's seccomp: use Linux or a container.\n"
        )
        return 2
    from registry.runner.preload import preload

    preload()
    from registry.runner import machine
    from registry.runner.server import Busy, Rules, serve

    rules = Rules(
        max_hosts=options.max_hosts,
        idle_seconds=options.idle_seconds,
        memory_budget=options.memory_budget or machine.default_budget(),
        recycle_requests=options.recycle_requests,
        recycle_growth=options.recycle_growth,
        max_replicas=options.max_replicas or machine.cores(),
    )

    try:
        return serve(
            options.socket,
            rules=rules,
            loads_at_once=options.loads_at_once or machine.cores() + 2,
            may_be_incomplete=options.allow_incomplete_sandbox == "yes",
        )
    except Busy as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
