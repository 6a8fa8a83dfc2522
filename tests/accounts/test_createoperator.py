import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User


def createoperator(*options):
    out = StringIO()
    call_command("createoperator", "--email", "Olga@example.com", *options, stdout=out)
    return out.getvalue()


def test_it_works(db):
    printed = createoperator("--password", "a-fine-Passphrase-7")

    olga = User.objects.get()
    assert olga.email == "olga@example.com"
    assert (olga.is_active, olga.is_staff, olga.is_superuser) == (True, True, True)
    assert olga.check_password("a-fine-Passphrase-7")
    assert olga.organizations.get().is_personal
    assert printed == "olga@example.com is an operator.\n"


def test_it_makes_up_a_password_and_shows_it_once(db):
    shown = re.search(r"Password \(not shown again\): (\S+)", createoperator())

    assert User.objects.get().check_password(shown[1])
    assert "Password" not in createoperator()


def test_twice_changes_nothing(db):
    createoperator("--password", "a-fine-Passphrase-7")
    before = User.objects.values().get()

    createoperator("--password", "a-fine-Passphrase-7")

    assert User.objects.values().get() == before


def test_it_sets_another_password(db):
    createoperator("--password", "a-fine-Passphrase-7")

    createoperator("--password", "another-Passphrase-8")

    assert User.objects.get().check_password("another-Passphrase-8")


def test_it_promotes_who_is_there(alice):
    call_command("createoperator", "--email", "alice@example.com", stdout=StringIO())

    alice.refresh_from_db()
    assert alice.is_staff


def test_it_refuses_a_weak_password(db):
    with pytest.raises(CommandError, match="too short"):
        createoperator("--password", "x1")

    assert not User.objects.exists()


def test_it_refuses_what_is_no_address(db):
    with pytest.raises(CommandError, match="alice is no e-mail address"):
        call_command("createoperator", "--email", "alice")

    assert not User.objects.exists()
