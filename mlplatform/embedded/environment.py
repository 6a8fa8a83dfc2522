"""The environment our Django processes get: the person's own, completed by what we started."""

import http.client
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mlplatform.embedded import packages
from mlplatform.embedded.console import Trouble
from mlplatform.embedded.places import PROJECT, Data

# These would change what the virtual environment's Python imports.
NOT_PASSED_ON = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "DJANGO_SETTINGS_MODULE")

ASK_DATABASE = """
import os, psycopg2
with psycopg2.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
    version = connection.server_version
    print(f"{version // 10000}.{version % 10000}")
"""
ASK_REDIS = """
import os, redis
print(redis.from_url(os.environ["REDIS_URL"], socket_timeout=5).info("server")["redis_version"])
"""


@dataclass(frozen=True)
class Address:
    """Where the web process listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """What to type into a browser on this machine."""
        everywhere = self.host in ("127.0.0.1", "::1", "0.0.0.0", "::")  # noqa: S104  # nosec B104 # compared, not bound
        return f"http://{'localhost' if everywhere else self.host}:{self.port}"

    def answers(self) -> bool:
        """Whether the web process answers its probe."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # nosec B104 # the same
        connection = http.client.HTTPConnection(host, self.port, timeout=5)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def outside() -> dict[str, str]:
    """The caller's environment, and beneath it the project's .env."""
    given = {**_env_file(PROJECT / ".env"), **os.environ}
    return {name: value for name, value in given.items() if name not in NOT_PASSED_ON}


def for_django(data: Data, address: Address, runner_socket: Path) -> dict[str, str]:
    """What the settings read; the caller's own wins. The two servers' URLs are added later."""
    secrets = data.secrets()
    ours = {
        "SECRET_KEY": secrets["SECRET_KEY"],
        "JWT_SIGNING_KEY": secrets["JWT_SIGNING_KEY"],
        "SITE_URL": address.url,
        "DEBUG": "false",
        "LOG_FORMAT": "json",
        # Mails hold links that sign people in: no log may have them. (The path keeps its slash.)
        "EMAIL_URL": f"file:///{data.mail}",
        "DATA_DIR": str(data.folder),
    }
    always = {
        "DJANGO_SETTINGS_MODULE": "mlplatform.settings",
        "RUNNER_SOCKET": str(runner_socket),
        "PYTHONUNBUFFERED": "1",
    }
    return {**ours, **outside(), **always}


def check_database(env: dict[str, str], venv: Path) -> str:
    """The version of the caller's own PostgreSQL. Raises Trouble when it does not answer."""
    return _ask(ASK_DATABASE, "DATABASE_URL", "PostgreSQL", env, venv)


def check_redis(env: dict[str, str], venv: Path) -> str:
    """The version of the caller's own Redis or Valkey. Raises Trouble when it does not answer."""
    return _ask(ASK_REDIS, "REDIS_URL", "Redis", env, venv)


def _ask(question: str, setting: str, what: str, env: dict[str, str], venv: Path) -> str:
    asked = subprocess.run(
        [packages.python(venv), "-c", question], env=env, capture_output=True, text=True, timeout=60
    )
    if asked.returncode == 0:
        return asked.stdout.strip()
    # The exception's first line. It names host and port, never the URL, which may hold a password.
    cause = [line for line in asked.stderr.splitlines() if line and not line[0].isspace()][-1]
    raise Trouble(
        f"{what} at {setting} does not answer: {cause}",
        fix=f"correct {setting}, or unset it to use the embedded server",
    )


def _env_file(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = [line.removeprefix("export ").split("=", 1) for line in map(str.strip, lines)]
    return {
        pair[0].strip(): pair[1].strip().strip("'\"")
        for pair in pairs
        if len(pair) == 2 and not pair[0].startswith("#")
    }
