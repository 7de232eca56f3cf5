"""Holds what a simulator is asked and answers against its own description."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prefect_staticadslab.simulator.http.description.document import openapi_document
from prefect_staticadslab.simulator.http.routes import operations

HERE: Final = "urn:description"

JSON: Final = "application/json"


@cache
def document() -> dict[str, Any]:
    """The description, as `/openapi.json` answers it."""
    return openapi_document(operations(), "http://127.0.0.1")


@cache
def validator(ref: str) -> Draft202012Validator:
    """What holds JSON against a schema of the description."""
    registry = Registry().with_resource(HERE, DRAFT202012.create_resource(document()))
    return Draft202012Validator({"$ref": f"{HERE}{ref}"}, registry=registry)


@cache
def patterns() -> list[tuple[re.Pattern[str], str]]:
    """The paths of the description, those without ids first."""
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]


def described(method: str, path: str) -> dict[str, Any] | None:
    """The description of a call; None for a call that there is not."""
    for pattern, template in patterns():
        if pattern.fullmatch(path):
            found: dict[str, Any] | None = document()["paths"][template].get(method.lower())
            return found
    return None


def differences(
    method: str, path: str, status: int, kind: str, headers: set[str], body: bytes, sent: bytes
) -> list[str]:
    """Where a request that succeeded, or its answer, differs from the description.

    Args:
        method, path: What was asked for.
        status: The answer's.
        kind: The answer's content type.
        headers: The names of the answer's headers, in lower case.
        body: The answer's.
        sent: The request's body, if it is JSON.
    """
    call = described(method, path)
    if call is None:
        return [] if status in (401, 404, 429) else [f"{status} for what is not described"]
    if str(status) not in call["responses"]:
        return [f"the status {status} is not described"]
    answer = call["responses"][str(status)]
    if "$ref" in answer:
        answer = document()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    found = [
        f"the header {name} is missing"
        for name in answer["headers"]
        if name.startswith("RateLimit-") and name.lower() not in headers
    ]
    kind = kind.partition(";")[0]
    if kind not in answer["content"]:
        return [*found, f"the content type {kind} is not described"]
    if kind == JSON:
        found += _mistakes(answer["content"][kind]["schema"]["$ref"], body)
    if sent and status < 400:
        found += _mistakes(call["requestBody"]["content"][JSON]["schema"]["$ref"], sent)
    return found


def _mistakes(ref: str, content: bytes) -> list[str]:
    mistakes = validator(ref).iter_errors(json.loads(content))
    return [f"{mistake.json_path}: {mistake.message[:300]}" for mistake in mistakes]


class Held:
    """Notes where an application's answers differ from its description.

    Attributes:
        differences: What differed, with the call.
        asked: The names of the calls that were asked for.
    """

    def __init__(self) -> None:
        self.differences: list[str] = []
        self.asked: set[str] = set()

    def around(self, app: ASGIApp) -> ASGIApp:
        """The same application, with its answers under `/v1` held."""

        async def held(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
                await app(scope, receive, send)
                return
            sent, answered = [], []

            async def noting_receive() -> Message:
                message = await receive()
                sent.append(message.get("body", b""))
                return message

            async def noting_send(message: Message) -> None:
                answered.append(message)
                # Before its end is sent: who has it may ask at once what was held.
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    self._hold(scope, b"".join(sent), answered)
                await send(message)

            await app(scope, noting_receive, noting_send)

        return held

    def _hold(self, scope: Scope, sent: bytes, answered: list[Message]) -> None:
        status = answered[0]["status"]
        headers = {n.decode().lower(): v.decode() for n, v in answered[0]["headers"]}
        if status in (499, 500):  # the client has gone; the simulator itself is broken
            return
        asked = {n.decode().lower(): v.decode() for n, v in scope["headers"]}
        is_form = asked.get("content-type", "").startswith("multipart/")
        body = b"".join(message.get("body", b"") for message in answered[1:])
        call = described(scope["method"], scope["path"])
        self.asked |= {call["operationId"]} if call else set()
        found = differences(
            scope["method"],
            scope["path"],
            status,
            headers.get("content-type", ""),
            set(headers),
            body,
            b"" if is_form else sent,
        )
        place = f"{scope['method']} {scope['path']} {status}"
        self.differences += [f"{place}: {difference}" for difference in found]
