"""Why an artifact is not served. Shared by everything that opens one."""


class Refused(Exception):
    """The artifact is refused: `code` for programs, `reason` for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
