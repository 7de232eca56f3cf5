"""An HTTP response, its body within bounds, and without the key."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx

from prefect_staticadslab import bounds
from prefect_staticadslab.api.connection import unbounded_encoding
from prefect_staticadslab.api.errors import OversizedAnswerError, UnreadableAnswerError
from prefect_staticadslab.api.responses.json_text import load_json
from prefect_staticadslab.api.responses.redactor import Redactor


@dataclass(frozen=True)
class APIResponse:
    """An answer as it came, without the key: all texts of it are taken from here.

    Attributes:
        http: It as httpx has it, with the key if that is in it.
        body: Its JSON, without the key; None if it is no JSON.
        size: The bytes of its body.
        redactor: Takes the key out of its texts.
    """

    http: httpx.Response
    body: Any
    size: int
    redactor: Redactor

    @classmethod
    def parse(cls, response: httpx.Response, content: bytes, redactor: Redactor) -> APIResponse:
        """Reads the JSON of a response whose body's bytes are `content`. It raises nothing."""
        try:
            body = load_json(redactor.redact_json(content.decode("utf-8-sig")))
        except ValueError:
            body = None
        return cls(response, body, len(content), redactor)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.http.status_code

    @property
    def reason(self) -> str:
        """The phrase after the status, such as `Not Found`."""
        return self.redactor.redact(self.http.reason_phrase)[: bounds.HEADER_LENGTH]

    def header(self, name: str) -> str:
        """A header's value, cut to `HEADER_LENGTH`; an empty text if there is none."""
        text: str = self.http.headers.get(name, "")
        return self.redactor.redact(text)[: bounds.HEADER_LENGTH]


async def body_pieces(response: httpx.Response, at_most: int) -> AsyncGenerator[bytes, None]:
    """Reads a body in pieces, decompressed. The response is left to its caller to close.

    Args:
        response: The answer, as a stream.
        at_most: How many bytes it may have, decompressed.

    Raises:
        OversizedAnswerError: It has more.
        UnreadableAnswerError: It is compressed in a way that may fill the memory.
    """
    status, size = response.status_code, 0
    if encoding := unbounded_encoding(response):
        raise UnreadableAnswerError(
            f"The answer is compressed in a way that is not read ({status}, "
            f"{len(encoding.split(','))} encodings)",
            status=status,
        )
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > at_most:
            raise OversizedAnswerError(
                f"The answer has more than {at_most:,} bytes, and was not read ({status})",
                status=status,
            )
        yield piece


async def read_body(response: httpx.Response) -> bytes:
    """Reads the body of an answer of the API, and closes the answer.

    Raises:
        OversizedAnswerError: It has more than `ANSWER_BYTES`.
        UnreadableAnswerError: It is compressed in a way that may fill the memory.
    """
    try:
        async with aclosing(body_pieces(response, bounds.ANSWER_BYTES)) as pieces:
            return b"".join([piece async for piece in pieces])
    finally:
        await response.aclose()
