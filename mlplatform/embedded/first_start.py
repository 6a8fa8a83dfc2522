"""The demo on the first start, and what is printed at the end of every start."""

import json
import os
import shlex

from mlplatform.embedded import environment, packages
from mlplatform.embedded.children import Program
from mlplatform.embedded.console import bold, say, step
from mlplatform.embedded.places import PROJECT, read_json, write_json
from mlplatform.embedded.processes import Platform

OPERATOR = "operator@example.com"


def make_demo(platform: Platform) -> None:
    """An operator, a demo user, a model of theirs and one prediction; once. Raises Trouble."""
    if read_json(platform.data.demo).get("answer"):
        return
    with step("demo: operator account"):
        _make_operator(platform)
    with step("demo: sign up, upload a model, predict") as current:
        argv = [packages.python(platform.venv), "-m", "mlplatform.embedded.demo"]
        argv += [platform.address.url, str(platform.data.demo)]
        env = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": str(platform.data.folder)}
        program = Program("demo", argv, env, PROJECT)
        platform.supervisor.run(program, within=240)
        answer = read_json(platform.data.demo)["answer"]
        current.label += f" ({answer['prediction']})"


def _make_operator(platform: Platform) -> None:
    printed = platform.manage("createoperator", "--email", OPERATOR)
    known = {**read_json(platform.data.demo), "operator": OPERATOR}
    password = printed.partition("not shown again): ")[2].partition("\n")[0]
    if password:
        known["operator_password"] = password
    write_json(platform.data.demo, known)


def welcome(platform: Platform, *, seconds: float) -> None:
    """Print where everything is, with a link that signs in and a curl that works as pasted."""
    demo, url = read_json(platform.data.demo), platform.address.url
    say(f"\n{bold('Ready')} in {seconds:.1f} s\n")
    say(f"  Dashboard   {url}/")
    if demo.get("answer"):
        with_link = platform.manage("loginlink", demo["email"]).strip()
        say(f"  Log in      {with_link}")
        say(f"              once, as {demo['email']}; passwords are in {platform.data.demo}")
    say(f"  API         {url}/docs")
    say(f"  Logs        {platform.data.logs}")
    if "EMAIL_URL" not in environment.outside():
        say(f"  Mails       {platform.data.mail}, one file each; EMAIL_URL sends them")
    if demo.get("answer"):
        say(f"\n  Ask the demo model:\n\n{curl(url, demo)}\n")
    say("  Ctrl-C stops everything; the data stays.")


def curl(url: str, demo: dict) -> str:
    body = json.dumps({"input": demo["input"]})
    return (
        f"  curl {url}/api/v1/predict/{demo['model']} \\\n"
        f"    -H {shlex.quote('X-API-Key: ' + demo['api_key'])} \\\n"
        f"    -H 'Content-Type: application/json' \\\n"
        f"    -d {shlex.quote(body)}"
    )
