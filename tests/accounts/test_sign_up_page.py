from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress

from accounts.models import User
from accounts.roles import Role

URL = "/accounts/signup/"
DORA = {"full_name": "Dora", "email": "Dora@Example.com", "password1": "a-fine-Passphrase-7"}


def link_in(mail) -> str:
    return next(word for word in mail.body.split() if word.startswith("http") and "/acc" in word)


def test_it_works(client, db, mailoutbox):
    response = client.post(URL, DORA)

    assert response["Location"] == "/"
    dora = User.objects.get()
    assert (dora.email, dora.full_name) == ("dora@example.com", "Dora")
    assert client.session["_auth_user_id"] == str(dora.id)
    home = dora.memberships.get()
    assert (home.role, home.organization.is_personal) == (Role.OWNER, True)
    assert [mail.to for mail in mailoutbox] == [["dora@example.com"]]


def test_the_mails_link_confirms_the_address(client, db, mailoutbox, settings):
    settings.SITE_URL = "https://models.example.com"
    client.post(URL, DORA, headers={"Host": "127.0.0.1"})

    link = link_in(mailoutbox[0])
    assert link.startswith("https://models.example.com/accounts/confirm-email/")
    assert mailoutbox[0].subject == "[mlplatform] Confirm your e-mail address"
    page = client.get(urlsplit(link).path).content.decode()
    assert "Is dora@example.com your e-mail address?" in page
    assert not EmailAddress.objects.get().verified

    client.post(urlsplit(link).path)
    assert EmailAddress.objects.get().verified
    assert "does not work" in client.get(urlsplit(link).path).content.decode()


@pytest.mark.parametrize(
    "bad",
    [
        {"email": "nonsense"},
        {"email": ""},
        {"email": "x" * 250 + "@example.com"},
        {"email": "dora\0@example.com"},
        {"password1": "12345678"},
        {"password1": "short"},
        {"password1": "x" * 2000},
        {"password1": ""},
        {"full_name": "Do\u202era"},
        {"full_name": "D" * 151},
    ],
)
def test_it_refuses(client, db, bad):
    response = client.post(URL, DORA | bad)

    assert response.status_code == 200
    assert response.context["form"].errors
    assert not User.objects.exists()


def test_an_address_is_used_once(client, alice):
    response = client.post(URL, DORA | {"email": "ALICE@example.com"})

    assert response.status_code == 200
    assert "Somebody has signed up with this address already" in response.content.decode()
    assert User.objects.count() == 1


@pytest.fixture
def mandatory(settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"


def test_where_addresses_are_confirmed_nobody_learns_who_is_here(
    mandatory, client, alice, mailoutbox
):
    known = client.post(URL, DORA | {"email": "alice@example.com"}, follow=True)
    client.logout()
    new = client.post(URL, DORA, follow=True)

    assert known.redirect_chain == new.redirect_chain == [("/accounts/confirm-email/", 302)]
    assert "_auth_user_id" not in client.session
    subjects = [(mail.to[0], mail.subject) for mail in mailoutbox]
    assert subjects == [
        ("alice@example.com", "[mlplatform] You have an account already"),
        ("dora@example.com", "[mlplatform] Confirm your e-mail address"),
    ]


def test_where_addresses_are_confirmed_the_api_waits_too(mandatory, anyone, db, mailoutbox):
    body = {"email": "dora@example.com", "password": "a-fine-Passphrase-7"}
    assert anyone.post("/api/v1/auth/register", body).status_code == 201

    refused = anyone.post("/api/v1/auth/login", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "email_not_confirmed")
    anyone.post(urlsplit(link_in(mailoutbox[0])).path)
    assert anyone.post("/api/v1/auth/login", body).status_code == 200


def test_one_is_told_of_the_mail(client, db):
    assert (
        "We sent a mail to dora@example.com" in client.post(URL, DORA, follow=True).content.decode()
    )


def test_programs_are_given_no_cookie_with_it(anyone, db, mailoutbox):
    body = {"email": "dora@example.com", "password": "a-fine-Passphrase-7"}

    assert not anyone.post("/api/v1/auth/register", body).cookies
    assert len(mailoutbox) == 1


def test_a_mail_server_that_is_away_costs_no_sign_up(client, db, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    response = client.post(URL, DORA, follow=True)

    assert User.objects.count() == 1
    page = response.content.decode()
    assert "The mail could not be sent" in page
    assert "We sent a mail" not in page
