"""The demo: a person signs up, uploads a model and asks it, all through the public API.

A program of its own, run with the virtual environment's Python, because the model is fitted here
with scikit-learn. Usage: python -m mlplatform.embedded.demo URL FILE; FILE keeps what it made.
"""

import io
import json
import secrets
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlplatform.embedded.places import read_json, write_json

EMAIL = "demo@example.com"
MODEL = "iris"
COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
READY_WITHIN = 120


class Refused(Exception):
    """The API said no: the status and its reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status


class Api:
    """The public API as any script sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers: dict[str, str] = {}

    def get(self, path: str) -> dict:
        return self._send("GET", path)

    def post(self, path: str, body: dict) -> dict:
        return self._send("POST", path, json.dumps(body).encode(), "application/json")

    def upload(self, path: str, fields: dict[str, str], *, name: str, content: bytes) -> dict:
        boundary = uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = "".join(parts).encode() + content + f"\r\n--{boundary}--\r\n".encode()
        return self._send("POST", path, body, f"multipart/form-data; boundary={boundary}")

    def _send(
        self, method: str, path: str, body: bytes | None = None, content_type: str = ""
    ) -> dict:
        url = self.url + urlsplit(path).path
        headers = {**self.headers, **({"Content-Type": content_type} if body else {})}
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # nosec B310 # our own http://
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read(2000).decode(errors="replace")) from error


def main(url: str, keep: Path) -> None:
    """Make what the demo still lacks; a start that was killed half-way goes on here."""
    known = read_json(keep)
    # Kept before it is used: an account whose password nobody knows would be in the way.
    known.setdefault("email", EMAIL)
    known.setdefault("password", secrets.token_urlsafe(16))
    write_json(keep, known)
    api = Api(url)
    sign_in(api, email=known["email"], password=known["password"])
    if "api_key" not in known:
        known["api_key"] = api.post("/api/v1/keys", {"name": "demo"})["key"]
        write_json(keep, known)
    api.headers = {"X-API-Key": known["api_key"]}
    if not known.get("model"):
        upload_model(api)
    answer = api.post(f"/api/v1/predict/{MODEL}", {"input": first_row()})
    write_json(keep, {**known, "model": MODEL, "input": first_row(), "answer": answer})


def sign_in(api: Api, *, email: str, password: str) -> None:
    who = {"email": email, "password": password}
    try:
        tokens = api.post("/api/v1/auth/login", who)
    except Refused as refused:
        if refused.status not in (400, 401):
            raise
        api.post("/api/v1/auth/register", {**who, "full_name": "Demo"})
        tokens = api.post("/api/v1/auth/login", who)
    api.headers = {"Authorization": f"Bearer {tokens['access']}"}


def upload_model(api: Api) -> None:
    fields = {
        "name": MODEL,
        "model_type": "sklearn",
        "description": "Which iris is it? Fitted on Fisher's measurements of 150 flowers.",
    }
    answer = api.upload(
        "/api/v1/models/upload", fields, name="iris.joblib", content=trained_model()
    )
    deadline = time.monotonic() + READY_WITHIN
    while (version := api.get(answer["status_url"]))["status"] != "ready":
        if version["status"] == "rejected" or time.monotonic() > deadline:
            sys.exit(f"the demo model did not become ready: {json.dumps(version)[:500]}")
        time.sleep(0.1)


def trained_model() -> bytes:
    flowers = load_iris(as_frame=True)
    rows = flowers.data.set_axis(COLUMNS, axis="columns")
    species = flowers.target_names[flowers.target]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows, species)
    out = io.BytesIO()
    joblib.dump(model, out)
    return out.getvalue()


def first_row() -> dict[str, float]:
    return dict(zip(COLUMNS, (5.1, 3.5, 1.4, 0.2), strict=True))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
