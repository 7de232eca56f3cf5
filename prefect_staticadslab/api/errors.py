"""What can go wrong between us and the API, as types.

    StaticAdsLabError
    ├── InvalidAPIKeyError          the key cannot be one; nothing was sent   (also a ValueError)
    ├── InvalidBaseURLError         the key must not be sent there            (also a ValueError)
    ├── APIConnectionError          no answer: refused, dropped, cut           retried
    │   ├── APITimeoutError         no answer in time                          retried
    │   └── NotReachedError         no connection; nothing was sent            retried
    ├── APIStatusError              an answer that says no
    │   ├── BadRequestError         400  VALIDATION_ERROR
    │   ├── AuthenticationError     401  UNAUTHORIZED
    │   ├── InsufficientBalanceError 402 INSUFFICIENT_BALANCE
    │   ├── PermissionDeniedError   403  FORBIDDEN
    │   ├── NotFoundError           404  NOT_FOUND
    │   ├── ConflictError           409  CONFLICT
    │   │   └── IdempotencyConflictError  409  IDEMPOTENCY_CONFLICT            retried
    │   ├── PayloadTooLargeError    413
    │   ├── UnprocessableError      422  relationship errors
    │   ├── RateLimitError          429  RATE_LIMIT_EXCEEDED                   retried
    │   └── ServerError             5xx                                        retried
    ├── UnreadableAnswerError       a body that is not the API's JSON          retried
    │   └── OversizedAnswerError    more than is read; a batch is halved
    ├── ForbiddenAddressError       a web address of this machine itself; nothing was sent
    ├── WebError                    something of the web, not of the API, cannot be had
    ├── JobFailedError              the job ran and failed; it is free
    │   ├── ImageAdFailedError
    │   └── DesignTemplateFailedError
    └── WaitTimeoutError            the job was still running when patience ended

"Retried" is what `StaticAdsLabClient` does by itself, before such an error reaches its caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

BILLING_URL: Final = "https://www.staticadslab.com/settings?tab=billing"
"""Where a wallet is topped up, if the API does not say it."""


@dataclass(frozen=True)
class ErrorDetail:
    """One entry of an error's `details`.

    Attributes:
        field: The request's field that is wrong; empty if the API names none.
        message: What is wrong with it, for people.
    """

    field: str
    message: str


class StaticAdsLabError(Exception):
    """The base of every error that this package raises about the API.

    Attributes:
        outcome_unknown: Whether this request may have been taken by the API all the same: one of
            its tries, not necessarily the last, ended without an answer that decides it.
    """

    outcome_unknown: bool = False


class InvalidAPIKeyError(StaticAdsLabError, ValueError):
    """The key does not look like one. The message says how, and never holds the key."""


class InvalidBaseURLError(StaticAdsLabError, ValueError):
    """The base URL is none, or would send the key in the clear over a network."""


class APIConnectionError(StaticAdsLabError):
    """The request got no answer: refused, dropped, or cut in the middle."""


class APITimeoutError(APIConnectionError):
    """The request got no answer in time."""


class NotReachedError(APIConnectionError):
    """There was no connection, so that the API never had the request."""


class UnreadableAnswerError(StaticAdsLabError):
    """The answer was not the API's JSON; usually a proxy's HTML page.

    Attributes:
        status: The HTTP status that came with it.
        request_id: The `X-Request-Id` header, where the answer had one.
    """

    def __init__(self, message: str, *, status: int, request_id: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id

    def __reduce__(self) -> tuple[object, ...]:
        """Pickles it with its attributes; see `_rebuild`."""
        return _rebuild, (type(self), self.args, self.__dict__)


class OversizedAnswerError(UnreadableAnswerError):
    """The answer is larger than anything the API has to say, and was not read to its end."""


class ForbiddenAddressError(StaticAdsLabError):
    """The web address must not be asked; see `prefect_staticadslab.api.web.WebGate`."""


class WebError(StaticAdsLabError):
    """What a web address names cannot be had. The message says why.

    Attributes:
        status: The HTTP status of an answer that says no, such as 404; None for all else.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        """Pickles it with its attributes; see `_rebuild`."""
        return _rebuild, (type(self), self.args, self.__dict__)


class APIStatusError(StaticAdsLabError):
    """The API answered with an error.

    Attributes:
        status: The HTTP status.
        code: The API's own code, such as `VALIDATION_ERROR`.
        api_message: The API's own sentence, without what `str()` adds to it.
        details: One `ErrorDetail` per field that the API complains of.
        request_id: What support asks for.
        retry_after: Seconds that the server asked to wait, or None.
        replayed: Whether this is the answer that an earlier request with the same key had.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str = "",
        details: tuple[ErrorDetail, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
        replayed: bool = False,
    ) -> None:
        self.status = status
        self.code = code
        self.api_message = message
        self.details = details
        self.request_id = request_id
        self.retry_after = retry_after
        self.replayed = replayed
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        """The error for people: the API's message, its details, status, code and request id."""
        sentence = self.api_message or "no message"
        if self.details:
            sentence += ": " + "; ".join(f"{d.field}: {d.message}" for d in self.details)
        label = f"{self.status} {self.code}".strip()
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{sentence} ({label}{request})"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickles it with its attributes; see `_rebuild`."""
        return _rebuild, (type(self), self.args, self.__dict__)


class BadRequestError(APIStatusError):
    """400: a field is wrong; `details` say which."""


class AuthenticationError(APIStatusError):
    """401: the key is unknown or was revoked."""


class InsufficientBalanceError(APIStatusError):
    """402: the wallet is empty. The message holds the amounts.

    Attributes:
        top_up_url: Where to top it up.
    """

    top_up_url: str = BILLING_URL


class PermissionDeniedError(APIStatusError):
    """403: the key lacks a scope."""


class NotFoundError(APIStatusError):
    """404: the request names something that does not exist."""


class ConflictError(APIStatusError):
    """409: there is one like it already, or the resource does not allow this at the moment."""


class IdempotencyConflictError(ConflictError):
    """409: the first request with this key still runs, or had another body."""


class PayloadTooLargeError(APIStatusError):
    """413: a body of more than 15 MB, of whatever kind; 414: too many ids in one address."""


class UnprocessableError(APIStatusError):
    """422: things that do not belong together, or a template that is not ready."""


class RateLimitError(APIStatusError):
    """429: too many requests in the window; wait `retry_after`."""


class ServerError(APIStatusError):
    """5xx: the API's trouble, or a proxy's."""


def failure_reason(message: str, code: str, record_id: str | None) -> str:
    """Why a job failed, for people: the API's message, its code and its record of the job.

    Example:
        ```python
        from prefect_staticadslab.api.errors import failure_reason

        assert failure_reason("No.", "PIPELINE_ERROR", None) == "No. (PIPELINE_ERROR)"
        assert failure_reason("No.", "X", "job_1") == "No. (X, job job_1)"
        ```
    """
    record = f", job {record_id}" if record_id else ""
    return f"{message or 'no reason given'} ({code}{record})"


class JobFailedError(StaticAdsLabError):
    """The job ended as `failed`. It costs nothing; trying again is a new create.

    Attributes:
        job_id: The image ad or design template that failed.
        code: The API's code, such as `PIPELINE_ERROR`.
        record_id: The API's record of the job, which support may ask for; None if it told none.
    """

    def __init__(self, job_id: str, code: str, message: str, record_id: str | None = None) -> None:
        reason = failure_reason(message, code, record_id)
        super().__init__(f"{job_id} failed: {reason}")
        self.job_id = job_id
        self.code = code
        self.record_id = record_id

    def __reduce__(self) -> tuple[object, ...]:
        """Pickles it with its attributes; see `_rebuild`."""
        return _rebuild, (type(self), self.args, self.__dict__)


class ImageAdFailedError(JobFailedError):
    """An image ad failed."""

    @property
    def image_ad_id(self) -> str:
        """The id of the ad that failed."""
        return self.job_id


class DesignTemplateFailedError(JobFailedError):
    """A design template failed."""


class WaitTimeoutError(StaticAdsLabError, TimeoutError):
    """Patience ended before the job did. It goes on at the API; ask again later.

    Args:
        job_ids: The image ads or design templates that are still `processing`.
        seconds: How long they were waited for.

    Attributes:
        job_ids: Those image ads or design templates.
    """

    def __init__(self, job_ids: tuple[str, ...], seconds: float) -> None:
        shown = ", ".join(job_ids[:3]) + (", …" if len(job_ids) > 3 else "")  # noqa: PLR2004
        super().__init__(f"{len(job_ids)} job(s) still processing after {seconds:g} s: {shown}")
        self.job_ids = job_ids

    @property
    def image_ad_ids(self) -> tuple[str, ...]:
        """`job_ids`, where the jobs are image ads."""
        return self.job_ids

    def __reduce__(self) -> tuple[object, ...]:
        """Pickles it with its attributes; see `_rebuild`."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[StaticAdsLabError], args: tuple[object, ...], state: dict[str, object]
) -> StaticAdsLabError:
    """Makes an unpickled error anew, without its `__init__`, which wants keyword arguments. Errors
    cross processes under Dask and Ray.

    Args:
        kind: The error's class.
        args: Its `args`.
        state: Its attributes.
    """
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


_BY_STATUS: Mapping[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientBalanceError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: PayloadTooLargeError,
    414: PayloadTooLargeError,
    422: UnprocessableError,
    429: RateLimitError,
}

_FIRST_SERVER_ERROR = 500


def error_class(status: int, code: str) -> type[APIStatusError]:
    """The class of the error for an answer that says no, by its HTTP status and the API's code."""
    if code == "IDEMPOTENCY_CONFLICT":
        return IdempotencyConflictError
    if status >= _FIRST_SERVER_ERROR:
        return ServerError
    return _BY_STATUS.get(status, APIStatusError)


ACCOUNT_ERRORS = (AuthenticationError, PermissionDeniedError, InsufficientBalanceError)
"""Errors after which no further create of the same key can succeed."""
