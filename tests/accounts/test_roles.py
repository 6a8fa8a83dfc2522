"""docs/roles.md and docs/audit.md say what the code does."""

from pathlib import Path

import pytest

from accounts.audit_verbs import SENTENCES as AUDITED
from accounts.roles import OF_ROLE, OF_SCOPE, SENTENCES, Capability, Role, Scope, manageable_with

DOCS = Path(__file__).parents[2] / "docs"


def rows(name):
    lines = (DOCS / name).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]


def test_the_table_of_roles_is_the_codes():
    table = rows("roles.md")

    assert table[0] == ["may", *Role.values]
    assert table[2 : 2 + len(Capability)] == [
        [SENTENCES[capability], *("yes" if capability in OF_ROLE[role] else "" for role in Role)]
        for capability in Capability
    ]


def test_the_table_of_scopes_is_the_codes():
    assert rows("roles.md")[-len(Scope) :] == [
        [f"`{scope}`", "; ".join(SENTENCES[c] for c in Capability if c in OF_SCOPE[scope])]
        for scope in Scope
    ]


def test_the_table_of_verbs_is_the_codes():
    table = rows("audit.md")

    assert table[2:] == [[f"`{verb}`", sentence] for verb, sentence in AUDITED.items()]


def test_each_role_may_what_the_lower_ones_may():
    owner, admin, developer, viewer = (OF_ROLE[role] for role in Role)

    assert owner > admin > developer > viewer


@pytest.mark.parametrize(
    ("role", "reach"),
    [
        ("owner", {"owner", "admin", "developer", "viewer"}),
        ("admin", {"admin", "developer", "viewer"}),
        ("developer", set()),
        ("viewer", set()),
    ],
)
def test_nobody_reaches_above_themselves(role, reach):
    assert manageable_with(OF_ROLE[role]) == reach


def test_no_key_owns():
    assert all(Capability.OWN not in of_scope for of_scope in OF_SCOPE.values())
