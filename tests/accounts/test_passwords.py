import pytest
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher, identify_hasher

from accounts.errors import UnacceptablePassword
from accounts.models import User
from accounts.passwords import check_strength


def test_it_works():
    check_strength("a-fine-Passphrase-7", user=User(email="alice@example.com"))


def test_the_hasher_takes_twelve_rounds(monkeypatch):
    monkeypatch.undo()  # the suite's own four
    hashed = BCryptSHA256PasswordHasher().encode("x", BCryptSHA256PasswordHasher().salt())

    assert identify_hasher(hashed).decode(hashed)["work_factor"] == 12


@pytest.mark.parametrize("length", [1024, 1025])
def test_there_is_a_longest_password(length):
    password = ("a-fine-Passphrase-7" * 60)[:length]
    user = User(email="alice@example.com")

    if length == 1024:
        check_strength(password, user=user)
    else:
        with pytest.raises(UnacceptablePassword, match="longer than 1024"):
            check_strength(password, user=user)


def test_a_longer_one_is_never_right():
    user = User(email="alice@example.com")
    user.set_password("x" * 1025)

    assert not user.check_password("x" * 1025)


def test_each_fault_is_told():
    with pytest.raises(UnacceptablePassword) as refused:
        check_strength("123456", user=User(email="alice@example.com"))

    assert [error["code"] for error in refused.value.errors] == [
        "password_too_short",
        "password_too_common",
        "password_entirely_numeric",
    ]
