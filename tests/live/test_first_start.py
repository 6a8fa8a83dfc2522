"""What the first start prints, and that all of it is true."""

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest


def fetch(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, answer.read().decode()


def test_it_works(platform):
    status, body = fetch(platform.url + "/health")

    assert status == 200
    health = json.loads(body)
    assert {
        name: health[name]["status"] for name in ("database", "redis", "storage", "runner")
    } == {
        "database": "ok",
        "redis": "ok",
        "storage": "ok",
        "runner": "ok",
    }


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl on this machine")
def test_the_printed_curl_works_as_pasted(platform):
    curl = platform.printed.partition("Ask the demo model:")[2].partition("Ctrl-C")[0]

    done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["prediction"] == "setosa"


def test_the_printed_login_link_signs_in_once(platform):
    link = re.search(r"Log in +(http\S+)", platform.printed)[1]
    jar = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    with jar.open(link, timeout=30) as page:
        assert page.status == 200
        text = page.read().decode()

    assert link.startswith(platform.url)
    assert platform.email in text or "iris" in text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/api/schema/", "/livez", "/readyz"])
def test_the_pages_are_there(platform, path):
    status, _ = fetch(platform.url + path)

    assert status == 200


def test_the_demo_model_belongs_to_the_demo_account(platform):
    status, body = fetch(platform.url + "/api/v1/models", **{"X-API-Key": platform.api_key})

    assert status == 200
    assert [model["name"] for model in json.loads(body)["results"]] == ["iris"]


def test_there_is_no_secret_in_any_log(platform):
    secrets = json.loads((platform.folder / "secrets.json").read_text()).values()
    demo = json.loads((platform.folder / "demo.json").read_text())

    logs = platform.logs()

    for secret in (*secrets, demo["password"], demo["operator_password"], demo["api_key"]):
        assert secret not in logs


def test_what_it_keeps_is_private(platform):
    for name in ("secrets.json", "demo.json", "state.json"):
        assert (platform.folder / name).stat().st_mode & 0o777 == 0o600
    assert (platform.folder / "logs").stat().st_mode & 0o777 == 0o700


def test_mails_are_kept_as_files_and_their_links_in_no_log(platform):
    body = json.dumps({"email": platform.email}).encode()
    request = urllib.request.Request(
        platform.url + "/api/v1/auth/password/reset",
        data=body,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30):
        pass

    mails = "".join(mail.read_text() for mail in (platform.folder / "mail").iterdir())
    links = re.findall(rf"{platform.url}/accounts/\S+", mails)
    assert any("password" in link for link in links)
    logs = platform.logs()
    assert not any(link in logs for link in links)
