"""Errors that a person can mend. Every face shows them as one plain message; none shows a traceback."""

from __future__ import annotations


class UserError(Exception):
    """What is wrong, and how to mend it; mostly bad input."""

    exit_code = 2
    """Of a verb that ends with it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def sentence(self) -> str:
        """Both on one line."""
        return f"{self.message}; {self.hint}" if self.hint else self.message
