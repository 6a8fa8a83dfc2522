"""Forms of the people's pages; django-allauth has the rest."""

from allauth.account.adapter import get_adapter
from allauth.account.fields import EmailField
from allauth.account.forms import AddEmailForm, LoginForm, ResetPasswordForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from allauth.account.models import EmailAddress
from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from accounts.models import Theme, User
from accounts.names import canonical_name
from accounts.profile import TIME_ZONES


class NameField(forms.CharField):
    def __init__(self, **options: object) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "name"})
        super().__init__(max_length=150, required=False, widget=widget, **options)

    def clean(self, value: str) -> str:
        try:
            return canonical_name(super().clean(value))
        except ValueError as refused:
            raise ValidationError(str(refused), code="unprintable") from refused


EMAIL = "E-mail address"


class SignInForm(LoginForm):
    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        login = self.fields["login"]
        login.label = EMAIL
        # So that password managers fill both; "email" would offer every address one ever typed.
        login.widget.attrs |= {"autocomplete": "username", "autofocus": True}


class SignUpForm(AllauthSignupForm):
    full_name = NameField(label="Your name")
    field_order = ["full_name", "email", "password1"]

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.fields["email"].label = EMAIL

    def save(self, request: HttpRequest) -> User:
        # Not allauth's: `register` makes the row of the e-mail address, as for the API.
        return get_adapter(request).save_user(request, User(), self)

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        if self.account_already_exists:
            # As long as a real sign-up would take, or the clock tells who is here.
            User().set_password(self.cleaned_data["password1"])
        return super().try_save(request)


class ForgottenPasswordForm(ResetPasswordForm):
    email = EmailField(label=EMAIL)


class ChangeEmailForm(AddEmailForm):
    email = EmailField(label="New e-mail address")

    def save(self, request: HttpRequest) -> EmailAddress:
        """The new address, once confirmed, replaces the one to sign in with.

        allauth's own would take an unconfirmed first address away with the earlier wishes.
        """
        with transaction.atomic():
            wishes = EmailAddress.objects.filter(user=self.user, verified=False)
            wishes.exclude(email=self.user.email).delete()
            address = EmailAddress.objects.create(user=self.user, email=self.cleaned_data["email"])
        address.send_confirmation(request)
        return address


class ProfileForm(forms.Form):
    full_name = NameField(label="Your name")
    time_zone = forms.ChoiceField(
        choices=[(name, name.replace("_", " ")) for name in TIME_ZONES],
        help_text="Pages show times in it. The API answers in UTC.",
    )
    theme = forms.ChoiceField(choices=Theme)


class DeletionForm(forms.Form):
    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
