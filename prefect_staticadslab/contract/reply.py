"""What the API answered to one question, as the checks look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from prefect_staticadslab.api.rate_limit import RateLimitHeaders

_OK: Final = range(200, 300)
LONGEST_PATH: Final = 80
"""Characters of a path that is shown. A hundred ids have 2,000."""


@dataclass(frozen=True, eq=False)
class Reply:
    """An answer, without the key.

    Attributes:
        method, path: What was asked.
        status: Its HTTP status.
        headers: Its headers, their names in lower case.
        body: Its JSON; None if it has none.
        has_key: Whether it was asked with the key.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    has_key: bool = True

    @property
    def is_success(self) -> bool:
        """Whether it says yes."""
        return self.status in _OK

    @property
    def is_json(self) -> bool:
        """Whether its body is a JSON object, as all of the API's are."""
        return isinstance(self.body, dict)

    @property
    def data(self) -> Any:
        """What its envelope has as `data`, of whatever type; None if there is none."""
        return self.body.get("data") if self.is_json else None

    @property
    def resource(self) -> dict[str, Any]:
        """Its `data` if that is an object; else an empty one."""
        return self.data if isinstance(self.data, dict) else {}

    @property
    def items(self) -> list[dict[str, Any]]:
        """The objects in its `data`, if that is a list."""
        listed = self.data if isinstance(self.data, list) else []
        return [item for item in listed if isinstance(item, dict)]

    @property
    def has_more(self) -> bool | None:
        """Whether its list goes on; None if it does not say."""
        more = self.body.get("has_more") if self.is_json else None
        return more if isinstance(more, bool) else None

    @property
    def error(self) -> dict[str, Any]:
        """Its `error`; an empty object if it has none."""
        error = self.body.get("error") if self.is_json else None
        return error if isinstance(error, dict) else {}

    @property
    def code(self) -> str:
        """Its error's code; "" if it has none."""
        return str(self.error.get("code") or "")

    @property
    def meta(self) -> dict[str, Any]:
        """Its `meta`; an empty object if it has none."""
        meta = self.body.get("meta") if self.is_json else None
        return meta if isinstance(meta, dict) else {}

    @property
    def request_id(self) -> str:
        """Its request id, which support asks for; "" if it has none."""
        return str(self.meta.get("request_id") or self.headers.get("x-request-id") or "")

    @property
    def media_type(self) -> str:
        """Such as `application/json`."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def is_stream(self) -> bool:
        """Whether it is a stream of events."""
        return self.media_type == "text/event-stream"

    @property
    def is_replayed(self) -> bool:
        """Whether it says that an earlier request with the same key had this answer."""
        return self.headers.get("idempotent-replayed", "").lower() == "true"

    @property
    def rate_limit(self) -> RateLimitHeaders:
        """What its headers say of the limit."""
        return RateLimitHeaders.parse(self.headers)

    @property
    def result(self) -> str:
        """How it ended, such as `404 NOT_FOUND`."""
        if self.is_json or self.is_stream:
            return f"{self.status} {self.code}".strip()
        return f"{self.status}, {self.media_type or 'no body'}"

    @property
    def question(self) -> str:
        """What was asked, such as `GET /v1/brands?limit=0`."""
        path = self.path
        shown = path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}…"
        return f"{self.method} {shown}"

    def __str__(self) -> str:
        return f"{self.question}: {self.result}"
