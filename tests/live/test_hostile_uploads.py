"""Hostile files, sent by HTTP to the whole platform: all rejected with a reason, none does harm."""

import json
import os
import pickle
import socket
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

MARKER = Path("/tmp") / f"mlplatform-was-here-{uuid.uuid4().hex}"


class Call:
    """A pickle that calls `function(*arguments)` when it is opened."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


FILES = {
    "runs a command": pickle.dumps(Call(os.system, f"touch {MARKER}")),
    "runs a command in an attribute": pickle.dumps({"a": [Call(os.system, f"touch {MARKER}")]}),
    "evaluates code": pickle.dumps(Call(eval, "__import__('os').getpid()")),
    "opens a socket": pickle.dumps(Call(socket.create_connection, ("127.0.0.1", 1))),
    "reads the environment": pickle.dumps(Call(os.getenv, "SECRET_KEY")),
    "reads a file": pickle.dumps(Call(open, "/etc/passwd")),
    "writes a file": pickle.dumps(Call(open, str(MARKER), "w")),
    "forks": pickle.dumps(Call(os.fork)),
    "kills its parent": pickle.dumps(Call(os.kill, os.getppid(), 9)),
    "loops": pickle.dumps(Call(pow, 7, 10**10)),
    "takes 10 GB": pickle.dumps(Call(bytes, 10 * 2**30)),
    "is cut off": pickle.dumps(list(range(10_000)))[:-100],
    "is text": b"sepal_length,sepal_width\n5.1,3.5\n",
    "is no estimator": pickle.dumps({"weights": [1, 2, 3]}),
}


def call(platform, method, path, body=None, content_type="application/json"):
    request = urllib.request.Request(
        platform.url + path,
        data=body,
        method=method,
        headers={"X-API-Key": platform.api_key, "Content-Type": content_type},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def upload(platform, name, content):
    boundary = uuid.uuid4().hex
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="m.pkl"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode() + content
    body += f"\r\n--{boundary}--\r\n".encode()
    kind = f"multipart/form-data; boundary={boundary}"
    return call(platform, "POST", "/api/v1/models/upload", body, kind)


@pytest.fixture(scope="session")
def verdicts(platform):
    """All of them at once, as a bad day would have it; what became of each."""
    paths = {
        name: f"/api/v1/models/{upload(platform, name, content)['model']}/versions/1"
        for name, content in FILES.items()
    }
    ends_at = time.monotonic() + 200
    found = {}
    while len(found) < len(paths) and time.monotonic() < ends_at:
        time.sleep(0.5)
        for name in paths.keys() - found.keys():
            version = call(platform, "GET", paths[name])
            if version["status"] not in ("pending", "inspecting"):
                found[name] = version
    return found


@pytest.mark.parametrize("name", FILES)
def test_it_is_rejected_with_a_reason(verdicts, name):
    version = verdicts[name]

    assert version["status"] == "rejected"
    assert version["reason_code"] in (
        "hostile",
        "unreadable",
        "not_an_estimator",
        "out_of_memory",
        "model_timed_out",
        "model_crashed",
    )
    assert len(version["reason"]) > 20


def test_no_harm_was_done(platform, verdicts):
    assert not MARKER.exists()
    told = json.dumps(verdicts)
    secrets = json.loads((platform.folder / "secrets.json").read_text()).values()
    assert "root:" not in told
    assert not any(secret in told for secret in secrets)


def test_the_platform_still_answers(platform, verdicts):
    health = call(platform, "GET", "/health")
    flower = json.dumps({"input": [5.1, 3.5, 1.4, 0.2]}).encode()

    assert health["status"] == "ok"
    assert call(platform, "POST", "/api/v1/predict/iris", flower)["prediction"] == "setosa"
