"""Whatever is sent, the answer is a refusal, never a failure."""

import pytest
from rest_framework.test import APIClient

WRITES = ["auth/register", "auth/login", "auth/refresh", "auth/logout", "keys"]
FIELDS = ["email", "password", "full_name", "refresh", "name", "scopes", "expires_at"]
VALUES = [
    "null",
    "true",
    "1e400",
    "NaN",
    "1" + "0" * 400,
    "-1.5",
    '"\\u0000"',
    '"\\ud800"',
    '"\\u202e"',
    '""',
    "[]",
    "{}",
    "[[[]]]",
    '{"a": {"b": null}}',
    '"' + "x" * 100_000 + '"',
]
BODIES = [
    b"",
    b"null",
    b"[]",
    b"7",
    b'"text"',
    b"{",
    b"\xff\xfe{\x00}\x00",
    b"{}" * 2,
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"\\u0000": 1}',
    b'{"' + b"k" * 10_000 + b'": 1}',
    b"{" + b",".join(b'"k%d": 1' % number for number in range(5000)) + b"}",
]


@pytest.mark.parametrize("url", WRITES)
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_bodies(client_of, alice, url, body):
    # An access token alone is enough to log out.
    client = APIClient() if url == "auth/logout" else client_of(alice)

    response = client.post(f"/api/v1/{url}", body, content_type="application/json")

    assert response.status_code == 400
    assert len(response.content) < 10_000


@pytest.mark.parametrize("url", WRITES)
@pytest.mark.parametrize("field", FIELDS)
def test_values(client_of, alice, url, field):
    client = client_of(alice)
    for value in VALUES:
        body = f'{{"{field}": {value}}}'
        response = client.post(f"/api/v1/{url}", body, content_type="application/json")
        assert 400 <= response.status_code < 500, value[:80]


@pytest.mark.parametrize("url", WRITES)
def test_other_content_types(client_of, alice, url):
    response = client_of(alice).post(f"/api/v1/{url}", b"a=b", content_type="text/plain")

    assert response.status_code == 415
