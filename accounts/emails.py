"""The one form in which an e-mail address is stored and looked up."""

import unicodedata

MAX_LENGTH = 254


def canonical_email(address: str) -> str:
    """NFKC, without surrounding space, in lower case.

    Mail servers may tell cases of the local part apart; people do not, and two
    accounts that look the same are worth more to an attacker than to anyone else.
    """
    return unicodedata.normalize("NFKC", address).strip().lower()
