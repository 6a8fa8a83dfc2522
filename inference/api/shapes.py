"""What a predict request asks for, whatever its body looks like."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from inference.errors import TooManyRows


@dataclass(frozen=True)
class Asked:
    """The rows asked about, where each is in the request, and whether it was asked for alone.

    `top_k`: so many of the likeliest classes, None for all. `by_column`: the request has a list
    a column, and the pointers of its rows are to be turned (`where`).
    """

    instances: list[Any]
    pointers: list[str]
    is_single: bool
    by_column: bool = False
    top_k: int | None = None

    def where(self, pointer: str) -> str:
        """The pointer into the request as it was sent: /columns/income/3 for /columns/3/income."""
        if not self.by_column:
            return pointer
        _, start, row, *name = pointer.split("/")
        return "/".join(["", start, *name, row])


def check_count(rows: int) -> None:
    """Raises TooManyRows."""
    if rows > settings.MAX_PREDICT_ROWS:
        raise TooManyRows(
            f"The request has {rows} rows; at most {settings.MAX_PREDICT_ROWS} are answered at "
            "once. Split it into several requests.",
            limit=settings.MAX_PREDICT_ROWS,
        )
