"""What the content policy and WCAG ask of every page's markup."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.utils.timezone import now

from accounts import invitations
from accounts.roles import OF_ROLE, Role
from accounts.tenancy import Standing
from tests.conftest import PASSWORD
from tests.factories import make_version
from tests.pages.conftest import make_champion, make_ready

ROOT = Path(__file__).parent.parent.parent
OURS = sorted((ROOT / "templates").rglob("*.html"))


class Markup(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def scripts(self):
        """Without blocks of data, which no browser executes."""
        return [a for a in self.named("script") if a.get("type") != "application/json"]

    def named(self, *names):
        return [attrs for tag, attrs in self.tags if tag in names]


SIGNED_OUT = ("signup", "password/reset", "password/reset/done", "confirm-email", "inactive")
SIGNED_IN = (
    "profile",
    "email",
    "password/change",
    "2fa",
    "2fa/totp/activate",
    "2fa/recovery-codes",
    "2fa/recovery-codes/generate",
    "2fa/webauthn",
    "2fa/webauthn/add",
    "sessions",
    "data",
    "reauthenticate",
    "logout",
)


def of_people(client, hers, alice):
    """Pages of /accounts/, with forms as they come and as they are refused."""
    hers.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    hers.post("/accounts/reauthenticate/", {"password": PASSWORD})
    RecoveryCodes.activate(alice)
    pages = {page: client.get(f"/accounts/{page}/") for page in SIGNED_OUT}
    pages |= {page: hers.get(f"/accounts/{page}/") for page in SIGNED_IN}
    assert {page for page, response in pages.items() if response.status_code != 200} == set()
    WebAuthn.add(alice, "Key", {})
    return {
        **pages,
        "keys": hers.get("/accounts/2fa/webauthn/"),
        "sign-up refused": client.post("/accounts/signup/", {}),
        "forged reset": client.get("/accounts/password/reset/key/1-x/"),
        "forged confirmation": client.get("/accounts/confirm-email/x/"),
        "profile refused": hers.post("/accounts/profile/", {"time_zone": "x"}),
    }


def invited(organization, by):
    """The token of an invitation that waits."""
    standing = Standing(organization, Role.OWNER, OF_ROLE[Role.OWNER])
    invitation = invitations.invite(
        standing=standing, by=by, email="charlie@example.com", role=Role.VIEWER, at=now()
    )
    return invitations.token_of(invitation)


@pytest.fixture
def pages(alice, charlie, organization, client, browser_of):
    """Every page in every state: its markup by its name."""
    make_champion(organization, alice)
    make_ready(organization, alice)
    make_version(organization, alice, name="waiting", content=b"bytes")
    hers, his = browser_of(alice), browser_of(charlie)
    responses = {
        "landing": client.get("/"),
        "sign in": client.get("/accounts/login/"),
        "refused": client.post("/accounts/login/", {"login": "a@example.com", "password": ""}),
        "home": hers.get("/"),
        "empty home": his.get("/"),
        "model": hers.get("/models/churn"),
        "waiting model": hers.get("/models/waiting"),
        "organization": hers.get("/organization"),
        "organization, refused": hers.post(
            "/organization/invitations",
            {
                "organization": organization.pk,
                "email": "nobody",
                "role": "viewer",
            },
        ),
        "audit log": hers.get("/organization/audit?since=never"),
        "invitation": his.get(f"/invitations/{invited(organization, alice)}"),
        "not found": client.get("/nothing"),
        "problem": his.get("/models/churn"),
        **of_people(client, hers, alice),
    }
    return {name: Markup(response.content.decode()) for name, response in responses.items()}


def test_nothing_is_inline(pages):
    for name, markup in pages.items():
        assert all("src" in script for script in markup.scripts()), name
        assert markup.named("style") == [], name
        inline = [a for _, attrs in markup.tags for a in attrs if a == "style" or a[:2] == "on"]
        assert inline == [], name


def test_nothing_comes_from_elsewhere(pages):
    for name, markup in pages.items():
        loaded = [
            attrs.get("src") or attrs.get("href") or ""
            for attrs in [*markup.scripts(), *markup.named("link", "img")]
        ]
        assert loaded, name
        assert all(address.startswith(("/static/", "data:image/")) for address in loaded), (
            name,
            loaded,
        )


def test_no_template_names_another_site():
    away = re.compile(r"(src|href|action)=[\"']?(https?:)?//", re.I)

    assert [path.name for path in OURS if away.search(path.read_text())] == []


def test_every_page_can_be_read_by_all(pages):
    for name, markup in pages.items():
        assert len(markup.named("h1")) == 1, name
        assert len(markup.named("main")) == 1, name
        assert markup.named("html")[0]["lang"] == "en", name
        assert {"class": "skip-link", "href": "#content"} in markup.named("a"), name
        assert all("alt" in image for image in markup.named("img")), name
        assert len(markup.named("table")) == len(markup.named("caption")), name
        assert all("scope" in head for head in markup.named("th")), name
        ids = [attrs["id"] for _, attrs in markup.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), name


def test_every_label_has_its_field_and_every_copy_button_its_text(pages):
    for name, markup in pages.items():
        ids = {attrs.get("id") for _, attrs in markup.tags}
        pointed = {attrs["for"] for attrs in markup.named("label")}
        pointed |= {a["data-copy"] for a in markup.named("button") if "data-copy" in a}
        assert pointed <= ids, name


def test_every_form_that_changes_something_has_a_token(pages):
    for name, markup in pages.items():
        posts = [form for form in markup.named("form") if form.get("method") == "post"]
        tokens = [i for i in markup.named("input") if i.get("name") == "csrfmiddlewaretoken"]
        assert len(posts) == len(tokens), name
        others = [form for form in markup.named("form") if form.get("method") != "post"]
        assert all(form["method"] == "get" for form in others), name


def test_the_policy_is_strict(client, db):
    policy = client.get("/")["Content-Security-Policy"]

    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
