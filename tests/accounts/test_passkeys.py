"""A passkey made of software: it signs what a browser would hand to the real one."""

import json
import re
from hashlib import sha256

import pytest
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

from tests.conftest import PASSWORD

ADD = "/accounts/2fa/webauthn/add/"
SIGN_IN = "/accounts/2fa/webauthn/login/"
SITE = "testserver"
PRESENT, VERIFIED, NEW_KEY = 0x01, 0x04, 0x40


class Passkey:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = b"a key's own name"

    def register(self, challenge: str) -> dict:
        public = ES256.from_cryptography_key(self.key.public_key())
        made = AttestedCredentialData.create(Aaguid(b"\0" * 16), self.id, public)
        facts = self._facts(PRESENT | VERIFIED | NEW_KEY, made)
        attestation = AttestationObject.create("none", facts, {})
        response = {"attestationObject": websafe_encode(attestation)}
        return self._answer("webauthn.create", challenge, response)

    def sign(self, challenge: str, user: str, *, origin: str = f"http://{SITE}") -> dict:
        facts = self._facts(PRESENT | VERIFIED)
        client = self._client("webauthn.get", challenge, origin)
        signature = self.key.sign(facts + client.hash, ec.ECDSA(SHA256()))
        response = {
            "authenticatorData": websafe_encode(facts),
            "signature": websafe_encode(signature),
            "userHandle": websafe_encode(user.encode()),
        }
        return self._answer("webauthn.get", challenge, response, origin)

    def _facts(self, flags: int, made: AttestedCredentialData | None = None) -> AuthenticatorData:
        site = sha256(SITE.encode()).digest()
        return AuthenticatorData.create(site, flags, 1, made or b"")

    def _client(self, kind: str, challenge: str, origin: str) -> CollectedClientData:
        return CollectedClientData.create(kind, websafe_decode(challenge), origin)

    def _answer(self, kind: str, challenge: str, response: dict, origin=f"http://{SITE}") -> dict:
        client = websafe_encode(self._client(kind, challenge, origin))
        return {
            "id": websafe_encode(self.id),
            "rawId": websafe_encode(self.id),
            "type": "public-key",
            "response": {"clientDataJSON": client, **response},
            "clientExtensionResults": {"credProps": {"rk": True}},
        }


@pytest.fixture
def passkey(client, alice):
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get(ADD).content.decode()
    data = json.loads(re.search(r'id="js_data"[^>]*>(.*?)</script>', page, re.S)[1])
    passkey = Passkey()
    credential = passkey.register(data["creation_options"]["publicKey"]["challenge"])
    form = {"name": "Phone", "passwordless": "on", "credential": json.dumps(credential)}
    assert client.post(ADD, form).status_code == 302
    return passkey


def begin(client: Client) -> str:
    options = client.get(SIGN_IN, headers={"Accept": "application/json"}).json()
    return options["request_options"]["publicKey"]["challenge"]


def finish(client: Client, credential: dict) -> bool:
    client.post(SIGN_IN, {"credential": json.dumps(credential)})
    return "_auth_user_id" in client.session


def test_it_works(passkey, alice):
    client = Client()

    assert finish(client, passkey.sign(begin(client), alice.pk.hex))
    assert client.session["_auth_user_id"] == str(alice.pk)


def test_an_answer_works_once(passkey, alice):
    client = Client()
    credential = passkey.sign(begin(client), alice.pk.hex)
    finish(client, credential)

    assert not finish(Client(), credential)


def test_another_key_is_refused(passkey, alice):
    client, stranger = Client(), Passkey()

    assert not finish(client, stranger.sign(begin(client), alice.pk.hex))


def test_it_signs_nobody_else_in(passkey, alice, charlie):
    client = Client()

    assert not finish(client, passkey.sign(begin(client), charlie.pk.hex))


def test_who_may_not_sign_in_stays_out(passkey, alice):
    alice.deactivate()
    client = Client()

    assert not finish(client, passkey.sign(begin(client), alice.pk.hex))


NONSENSE = [
    "",
    "x",
    "null",
    "5",
    "[]",
    "{}",
    '{"id": "x"}',
    '{"id": "eA", "rawId": "eA", "response": 5}',
    '{"id": "eA", "rawId": "eA", "response": {"clientDataJSON": "eA"}}',
    '{"id": "eA", "rawId": "eA", "type": "public-key", "response": {"clientDataJSON": "e30",'
    ' "attestationObject": "eA", "authenticatorData": "eA", "signature": "eA",'
    ' "userHandle": "_w"}}',
    '"' + "x" * 5000,
]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_refused(passkey, client, alice, text):
    stranger = Client()
    begin(stranger)
    halfway = Client()
    halfway.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    client.get(ADD)

    answers = [
        stranger.post(SIGN_IN, {"credential": text}),
        halfway.post("/accounts/2fa/authenticate/", {"credential": text}),
        client.post(ADD, {"name": "x", "credential": text}),
        client.post("/accounts/2fa/webauthn/reauthenticate/", {"credential": text}),
    ]

    assert [answer.status_code < 500 for answer in answers] == [True] * 4
    assert "_auth_user_id" not in stranger.session
    assert "_auth_user_id" not in halfway.session
    assert Authenticator.objects.filter(type="webauthn").count() == 1


def test_with_one_the_password_is_not_enough(passkey, alice):
    client = Client()

    sent = client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})

    assert sent["Location"] == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in client.session


def test_it_is_listed_and_removed(passkey, client, alice):
    key = Authenticator.objects.get(type="webauthn")
    assert "Phone" in client.get("/accounts/2fa/webauthn/").content.decode()

    client.post(f"/accounts/2fa/webauthn/keys/{key.pk}/remove/")

    assert not Authenticator.objects.filter(type="webauthn").exists()


def test_anothers_is_out_of_reach(passkey, charlie):
    key = Authenticator.objects.get(type="webauthn")
    his = Client()
    his.post("/accounts/login/", {"login": charlie.email, "password": PASSWORD})
    his.post("/accounts/reauthenticate/", {"password": PASSWORD})

    for action in ("remove", "edit"):
        path = f"/accounts/2fa/webauthn/keys/{key.pk}/{action}/"
        assert his.post(path, {"name": "his"}).status_code in (302, 404)
    assert Authenticator.objects.get(pk=key.pk).wrap().name == "Phone"
