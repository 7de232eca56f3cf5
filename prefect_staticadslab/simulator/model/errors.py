"""What the simulated API answers instead of data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DETAILS_IN_MESSAGE: Final = 3
"""Details that a message tells; all of them are listed beside it."""


class APIError(Exception):
    """An error answer: a call is refused, and nothing has changed.

    Attributes:
        status: The HTTP status.
        code: The API's word for it, such as `NOT_FOUND`.
        message: The same for people.
        details: The fields that are wrong, and what is wrong with each.
        headers: What the answer has besides the usual headers.
        top_up_url: Where the wallet can be filled, if that is what is missing.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        top_up_url: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})
        self.top_up_url = top_up_url


def not_valid(*details: tuple[str, str]) -> APIError:
    """A 400 that says what is wrong with which field."""
    listed = [{"field": field, "message": message} for field, message in details]
    message = "; ".join(f"{field} {message}" for field, message in details[:DETAILS_IN_MESSAGE])
    return APIError(400, "VALIDATION_ERROR", f"Not valid: {message}.", details=listed)


def job_failure() -> dict[str, str]:
    """The `error` of a job that failed."""
    return {"code": "PIPELINE_ERROR", "message": "The picture could not be composed."}
