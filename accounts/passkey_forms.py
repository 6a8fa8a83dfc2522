"""What browsers say of passkeys, read with care: allauth fails on some malformed answers."""

import struct

from allauth.mfa.webauthn import forms

# What allauth and fido2 raise for JSON of another shape than they expect.
_MALFORMED = (KeyError, IndexError, AttributeError, TypeError, ValueError, struct.error)


class _Careful:
    def full_clean(self) -> None:
        try:
            super().full_clean()
        except _MALFORMED:
            self.add_error("credential", "This answer of the browser cannot be read. Try again.")


class AddForm(_Careful, forms.AddWebAuthnForm):
    pass


class SignInForm(_Careful, forms.LoginWebAuthnForm):
    pass


class SecondFactorForm(_Careful, forms.AuthenticateWebAuthnForm):
    pass


class AskAgainForm(_Careful, forms.ReauthenticateWebAuthnForm):
    pass
