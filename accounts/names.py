"""What people call themselves and their things: one line, for pages, mails and logs."""

import unicodedata

# Control characters, line ends, and the invisible ones that turn text around; but not the two
# joiners, without which some scripts and emoji cannot be written.
_UNPRINTABLE = {"Cc", "Cf", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"


def canonical_name(text: str) -> str:
    """NFC. Raises ValueError where something in it cannot be seen."""
    text = unicodedata.normalize("NFC", text)
    if any(_is_unprintable(character) for character in text):
        raise ValueError("Control and invisible characters are not allowed.")
    return text


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE and character not in _JOINERS
