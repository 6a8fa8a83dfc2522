"""Who may do what: every route and method, with what each kind of caller gets.

A route or method that is not here fails `test_access.py`: whoever adds one
says here who may, and what everybody else is answered.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.factories import uploaded_file

# Written out, not taken from accounts.roles: this table judges that one.
ROLES = ("owner", "admin", "developer", "viewer")
SCOPES = ("predict", "models:read", "models:write", "jobs", "admin")


@dataclass(frozen=True)
class Rule:
    """What a method of a route answers: `ok` to these roles and scopes, else as told below."""

    ok: int
    roles: tuple[str, ...] = ROLES
    scopes: tuple[str, ...] = ()  # of a key: each of them is enough
    nobody: int = 401  # no credentials
    homeless: int = 403  # signed in, but in no organization
    other: int = 404  # owns another organization, asks for our ids
    intruder: int = 404  # the same, and names our organization in X-Organization
    refused: int = 403  # a member without the role
    wrong_key: int = 403  # a key with another scope
    body: dict[str, Any] | Callable[[], dict[str, Any]] = field(default_factory=dict)
    is_page: bool = False

    def expected(self) -> dict[str, int]:
        """The status that each kind of caller gets."""
        people = {role: self.ok if role in self.roles else self.refused for role in ROLES}
        keys = {
            f"key {scope}": self.ok if scope in self.scopes else self.wrong_key for scope in SCOPES
        }
        strangers = {name: getattr(self, name) for name in ("nobody", "homeless", "other")}
        if self.is_page:  # a program's credentials are none there, and so is its header
            return {**people, **strangers, "key admin": self.nobody}
        viewers_key = {"viewer's key": people["viewer"] if self.scopes else self.wrong_key}
        return {**people, **keys, **viewers_key, **strangers, "intruder": self.intruder}


def _needs(roles: str, scopes: str) -> Callable[..., Rule]:
    def make(ok: int, **more: Any) -> Rule:
        return Rule(ok, tuple(roles.split()), tuple(scopes.split()), **more)

    return make


READ = _needs("owner admin developer viewer", "models:read models:write admin")
PREDICT = _needs("owner admin developer", "predict admin")
DEPLOY = _needs("owner admin developer", "models:write admin")
KEYS = _needs("owner admin developer viewer", "admin")
ADMINISTER = _needs("owner admin", "admin")


# Of the organization that the URL names: who is in none finds nothing there.
MEMBERS = _needs("owner admin developer viewer", "admin")
IN_PATH = {"homeless": 404}
HERE = "<str:organization>"


def anybody(status: int, **more: Any) -> Rule:
    """Open: everybody gets the same, whatever credentials are sent along."""
    same = dict.fromkeys(("nobody", "homeless", "other", "intruder", "wrong_key"), status)
    return Rule(status, scopes=SCOPES, **{**same, **more})


def signed_in(status: int, **more: Any) -> Rule:
    """About the caller alone: every person and every key, and no organization is asked."""
    return replace(anybody(status, nobody=401), **more)


def person(ok: int, **more: Any) -> Rule:
    """About the account of the caller: not for keys, and no organization is asked."""
    return replace(Rule(ok, homeless=ok, other=ok, intruder=ok), **more)


def page(ok: int, roles: str = " ".join(ROLES), **more: Any) -> Rule:
    """A page of the organization: who is not signed in is sent to the sign-in page."""
    return Rule(ok, tuple(roles.split()), is_page=True, **{"nobody": 302, **more})


def open_page(nobody: int, signed_in: int | None = None, **more: Any) -> Rule:
    """A page that is nobody's: with `signed_in` where it answers people otherwise."""
    ok = nobody if signed_in is None else signed_in
    return Rule(ok, nobody=nobody, is_page=True, **{"homeless": ok, "other": ok, **more})


def look(nobody: int, signed_in: int | None = None) -> dict[str, Rule]:
    return {"get": open_page(nobody, signed_in)}


def form(nobody: int, signed_in: int | None = None) -> dict[str, Rule]:
    """Django's form views take PUT as they take POST."""
    return dict.fromkeys(("get", "post", "put"), open_page(nobody, signed_in))


def _form_of(roles: str, refused: int = 403, **fields: str) -> Rule:
    body = {"organization": HERE, **fields}
    return page(302, roles, homeless=404, refused=refused, body=body)


def _upload() -> dict[str, Any]:
    return {"file": uploaded_file(b"a model"), "name": "new"}


ONE_ROW = {"input": {"sepal_length": 1, "sepal_width": 2, "petal_length": 3, "petal_width": 4}}

TABLE: dict[str, dict[str, Rule]] = {
    # our pages
    "": {"get": open_page(200, homeless=403)},
    "models/<model:name>": {"get": page(200)},
    "models/<model:name>/promote": {
        "post": page(302, "owner admin developer", body={"version": 1}),
    },
    "models/<model:name>/change": {
        "post": page(302, "owner admin developer", body={"version": 1, "pinned": "true"}),
    },
    # pages of the organization; their forms say which one they were shown for
    "organization": {"get": page(200, other=200)},
    "organization/rename": {"post": _form_of("owner admin", name="x")},
    "organization/members/<uuid:user_id>/role": {"post": _form_of("owner admin", role="developer")},
    "organization/members/<uuid:user_id>/remove": {"post": _form_of("owner admin")},
    "organization/leave": {"post": _form_of("admin developer viewer", refused=409)},
    "organization/transfer": {"post": _form_of("owner", user_id="<uuid:user_id>")},
    "organization/invitations": {
        "post": _form_of("owner admin", email="new@example.com", role="viewer"),
    },
    "organization/invitations/<uuid:invitation_id>/withdraw": {"post": _form_of("owner admin")},
    "organization/audit": {"get": page(200, "owner admin", other=200)},
    "organization/audit.csv": {"get": page(200, "owner admin", other=200)},
    "organizations/new": {"post": page(302, other=302, homeless=302, body={"new_name": "x"})},
    "organizations/switch": {"post": _form_of(" ".join(ROLES))},
    # signed in with another address than was invited
    "invitations/<str:token>": {"get": open_page(200), "post": open_page(200, 403)},
    # one's own account: django-allauth's pages, which send who has no business there away
    "accounts/link/<uidb64>/<token>/": look(400),
    "accounts/acting/end/": {"post": open_page(302)},
    "accounts/login/": form(200, 302),
    "accounts/logout/": {"get": open_page(302, 200), "post": open_page(302)},
    "accounts/signup/": form(200, 302),
    "accounts/inactive/": look(200),
    "accounts/confirm-email/": look(200),
    r"accounts/^confirm-email/(?P<key>[-:\w]+)/$": {"get": open_page(200), "post": open_page(404)},
    "accounts/email/": {**look(302, 200), "post": open_page(302), "put": open_page(302)},
    "accounts/password/change/": form(302, 200),
    "accounts/password/set/": form(302),
    "accounts/password/reset/": form(200),
    "accounts/password/reset/done/": look(200),
    "accounts/password/reset/key/done/": look(200),
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": form(200),
    "accounts/reauthenticate/": form(302, 200),
    "accounts/login/code/confirm/": form(302),
    "accounts/2fa/": look(302, 200),
    "accounts/2fa/authenticate/": form(302),
    "accounts/2fa/reauthenticate/": form(302),
    "accounts/2fa/totp/activate/": form(302),
    "accounts/2fa/totp/deactivate/": form(302, 404),
    "accounts/2fa/recovery-codes/": look(302, 404),
    "accounts/2fa/recovery-codes/generate/": form(302),
    "accounts/2fa/recovery-codes/download/": look(302, 404),
    "accounts/2fa/webauthn/": look(302, 200),
    "accounts/2fa/webauthn/add/": form(302),
    "accounts/2fa/webauthn/reauthenticate/": form(302),
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": form(302),
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": form(302),
    "accounts/2fa/webauthn/login/": form(302),
    "accounts/sessions/": {**look(302, 200), "post": open_page(302), "put": open_page(302)},
    "accounts/profile/": {"get": open_page(302, 200), "post": open_page(302, 200)},
    "accounts/data/": look(302, 200),
    "accounts/data/export/": look(302, 200),
    "accounts/data/delete/": {"post": open_page(302, 200)},
    # the owner's
    "accounts/sessions/<int:session_id>/end/": {
        "post": page(302, "owner", refused=404, homeless=404),
    },
    # the API: people and keys
    "api/v1/auth/register": {"post": anybody(400)},
    "api/v1/auth/login": {"post": anybody(400)},
    "api/v1/auth/refresh": {"post": anybody(400)},
    "api/v1/auth/logout": {"post": anybody(400, body={"refresh": 1})},
    "api/v1/auth/password/reset": {"post": anybody(400)},
    "api/v1/auth/password/reset/confirm": {"post": anybody(400)},
    "api/v1/users/me": {
        "get": signed_in(200, homeless=403, intruder=404),
        "patch": person(200, homeless=403, intruder=404, body={"theme": "dark"}),
        "delete": person(400),  # without the password
    },
    "api/v1/users/me/password": {"post": person(400)},
    "api/v1/users/me/export": {"get": person(200)},
    "api/v1/users/me/audit": {"get": person(200)},
    "api/v1/keys": {
        "get": KEYS(200, other=200),
        "post": KEYS(201, other=201, body={"name": "new"}),
    },
    "api/v1/keys/<uuid:key_id>": {
        # or who made it
        "patch": Rule(200, ("owner", "admin"), ("admin",), refused=404, body={"name": "new"}),
        "delete": Rule(204, ("owner", "admin"), ("admin",), refused=404),
    },
    "api/v1/keys/<uuid:key_id>/roll": {
        # Only who made it: the new secret acts as its maker.
        "post": Rule(200, ("owner",), ("admin",), refused=404),
    },
    # the API: organizations
    "api/v1/organizations": {
        "get": signed_in(200),
        "post": Rule(201, homeless=201, other=201, intruder=201, body={"name": "new"}),
    },
    f"api/v1/organizations/{HERE}": {
        "get": Rule(200, scopes=SCOPES, **IN_PATH),
        "patch": ADMINISTER(200, **IN_PATH, body={"name": "new"}),
    },
    f"api/v1/organizations/{HERE}/members": {"get": MEMBERS(200, **IN_PATH)},
    f"api/v1/organizations/{HERE}/members/<uuid:user_id>": {
        "patch": ADMINISTER(200, **IN_PATH, body={"role": "developer"}),
        "delete": ADMINISTER(204, **IN_PATH),
    },
    f"api/v1/organizations/{HERE}/leave": {
        "post": Rule(204, ("admin", "developer", "viewer"), refused=409, **IN_PATH),
    },
    f"api/v1/organizations/{HERE}/transfer": {
        "post": Rule(200, ("owner",), **IN_PATH, body={"user_id": "<uuid:user_id>"}),
    },
    f"api/v1/organizations/{HERE}/invitations": {
        "get": ADMINISTER(200, **IN_PATH),
        "post": ADMINISTER(201, **IN_PATH, body={"email": "new@example.com", "role": "viewer"}),
    },
    f"api/v1/organizations/{HERE}/invitations/<uuid:invitation_id>": {
        "delete": ADMINISTER(204, **IN_PATH),
    },
    f"api/v1/organizations/{HERE}/audit": {"get": ADMINISTER(200, **IN_PATH)},
    "api/v1/invitations/accept": {
        "post": Rule(404, homeless=404, body={"token": "no:thing"}),
    },
    # the API: models
    "api/v1/models/upload": {"post": DEPLOY(202, other=202, body=_upload)},
    "api/v1/models": {"get": READ(200, other=200)},
    "api/v1/models/<model:model>": {
        "get": READ(200),
        "patch": DEPLOY(200, body={"description": "new"}),
        "delete": DEPLOY(204),
    },
    "api/v1/models/<model:model>/openapi.json": {"get": READ(200)},
    "api/v1/models/<model:model>/versions": {"get": READ(200)},
    "api/v1/models/<model:model>/versions/<number:number>": {
        "get": READ(200),
        "patch": DEPLOY(200, body={"pinned": True}),
    },
    "api/v1/models/<model:model>/aliases/<alias:alias>": {
        "put": DEPLOY(200, body={"version": 1}),
        "delete": DEPLOY(204),
    },
    # the API: predictions
    "api/v1/predict/<model:model>": {"post": PREDICT(200, body=ONE_ROW)},
    "api/v1/predictions": {"get": READ(200, other=200)},
    "api/v1/predictions/<uuid:prediction_id>": {"get": READ(200)},
    # about the platform
    "api/schema/": {"get": anybody(200)},
    "docs": {"get": anybody(200)},
    "redoc": {"get": anybody(200)},
    "health": {"get": anybody(200)},
}
