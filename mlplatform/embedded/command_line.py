"""What run.py understands."""

import argparse
import sys

from mlplatform.embedded import commands
from mlplatform.embedded.console import Trouble, explain
from mlplatform.embedded.environment import Address
from mlplatform.embedded.places import Data, data_folder

ACTIONS = {
    "start": "start the platform, or say where it already runs (the default)",
    "stop": "stop it",
    "test": "run the test suite on throw-away servers; other arguments go to pytest",
    "manage": "run a Django command on the running platform, such as: manage createoperator",
    "reset": "delete its data folder",
    "doctor": "look at this machine: each thing with a tick, or its cause and fix",
    "setup": "only make the virtual environment, with the development tools",
}


def main() -> int:
    """Do what the command line says; the exit code."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    given, passed_on = sys.argv[1:], []
    if given and given[0] in ("test", "manage"):
        given, passed_on = given[:1], given[1:]
    arguments = _parser().parse_args(given)
    try:
        return _run(arguments, passed_on)
    except Trouble as trouble:
        explain(trouble)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(arguments: argparse.Namespace, passed_on: list[str]) -> int:
    data = Data(data_folder(arguments.data_dir))
    address = Address(arguments.host, arguments.port)
    match arguments.action:
        case "start":
            return commands.start(data, address, demo=arguments.demo)
        case "stop":
            return commands.stop(data)
        case "test":
            return commands.test(passed_on)
        case "manage":
            return commands.manage(data, passed_on)
        case "reset":
            return commands.reset(data, sure=arguments.yes)
        case "doctor":
            return commands.doctor(data, address)
        case _:
            return commands.setup(data)


def _parser() -> argparse.ArgumentParser:
    actions = "\n".join(f"  {name:<7} {what}" for name, what in ACTIONS.items())
    parser = argparse.ArgumentParser(
        prog="run.py",
        description=f"mlplatform, from one command.\n\n{actions}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("action", nargs="?", default="start", choices=ACTIONS, metavar="action")
    parser.add_argument("--port", type=int, default=8000, help="where the web listens (8000)")
    parser.add_argument("--host", default="127.0.0.1", help="on which address (127.0.0.1)")
    parser.add_argument("--data-dir", help="where the data lives (MLPLATFORM_DATA_DIR)")
    parser.add_argument(
        "--no-demo", dest="demo", action="store_false", help="without demo accounts and model"
    )
    parser.add_argument("--yes", action="store_true", help="reset without asking")
    return parser
