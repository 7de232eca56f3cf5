"""The way to the API and back, with all that can happen to a request on it."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import httpx

from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI
from tests.simulation.world.process import Killed, Process, current

PROXY_PAGE: Final = b"<html><body>502 Bad Gateway</body></html>"


class Fault(StrEnum):
    """What can happen to a request."""

    LOST = "lost on its way"
    UNANSWERED = "carried out, and its answer lost"
    CUT = "carried out, and its answer cut in the middle"
    GATEWAY = "answered by a proxy, and carried out all the same"
    REFUSED = "refused with 429"
    BROKEN = "answered with 500"
    AWAY = "answered with 503"
    LATE = "carried out after 34 s"
    VERY_LATE = "carried out after 70 s"
    CUT_AND_LATE = "cut at once, and carried out after 34 s"
    UNKNOWN = "refused with 404, whatever its key has made"
    EMPTY = "refused with 402, whatever its key has made"
    DENIED = "refused with 403, whatever its key has made"


LATE_SECONDS: Final = {Fault.LATE: 34.0, Fault.VERY_LATE: 70.0, Fault.CUT_AND_LATE: 34.0}
REFUSALS: Final = {Fault.UNKNOWN: 404, Fault.EMPTY: 402, Fault.DENIED: 403}
"""Of an API that looks at the request, the wallet or the key's rights before it looks at the
idempotency key."""

_STATUSES: Final = {Fault.REFUSED: 429, Fault.BROKEN: 500, Fault.AWAY: 503, **REFUSALS}
_CODES: Final = {
    Fault.REFUSED: "RATE_LIMIT_EXCEEDED",
    Fault.BROKEN: "INTERNAL_ERROR",
    Fault.AWAY: "SERVICE_UNAVAILABLE",
    Fault.UNKNOWN: "NOT_FOUND",
    Fault.EMPTY: "INSUFFICIENT_BALANCE",
    Fault.DENIED: "FORBIDDEN",
}


@dataclass(frozen=True)
class Sent:
    """A request as it left a process.

    Attributes:
        ids: Those of the resources that it asks for.
        fault: What happens to it.
    """

    moment: float
    process: Process
    method: str
    path: str
    key: str
    body: bytes
    ids: tuple[str, ...] = ()
    fault: Fault | None = None


class Network(httpx.AsyncBaseTransport):
    """Carries the requests of all processes to the one API.

    Args:
        api: The API.
        app: The ASGI application of it.
        log: Where to say what happens.
        chance: Draws how long a way takes.
        fault: What happens to the nth request, of this method; None for nothing.

    Attributes:
        sent: All requests, in the order in which they left.
        counts: How many answers had which status, and how many requests met with what.
        faulty_at: When requests met with a fault.
        faults: With which, in the same order.
        carried_out: Called with each request that the API has carried out, and its status.
        refused_at: When the API itself refused one with 429, and whose it was.
    """

    def __init__(
        self,
        api: SimulatedAPI,
        app: Any,
        log: Callable[[str], None],
        chance: random.Random,
        fault: Callable[[int, str], Fault | None],
    ) -> None:
        self.sent: list[Sent] = []
        self.counts: Counter[str] = Counter()
        self.faulty_at: list[float] = []
        self.faults: list[Fault] = []
        self.refused_at: list[tuple[float, Process]] = []
        self.carried_out: Callable[[Sent, int], None] = lambda sent, status: None
        self._api = api
        self._app = app
        self._log = log
        self._chance = chance
        self._fault = fault
        self._world = contextvars.Context()
        self._work: set[asyncio.Task[httpx.Response]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carries one request; see `httpx.AsyncBaseTransport`."""
        process = current.get()
        assert process is not None
        what = f"{request.method} {request.url.raw_path.decode()}"
        await _reach(process, f"sends {what}")
        now = asyncio.get_running_loop().time()
        key = request.headers.get("idempotency-key", "")
        body = await request.aread()
        fault = self._fault(len(self.sent) + 1, request.method)
        ids = _ids(request.url)
        sent = Sent(now, process, request.method, request.url.path, key, body, ids, fault)
        self.sent.append(sent)
        if fault is not None:
            self.counts[fault] += 1
            self.faulty_at.append(now)
            self.faults.append(fault)
            self._log(f"  {what} is {fault}")
        if fault is Fault.LOST or fault in _STATUSES:
            await asyncio.sleep(self._way())
            if fault is Fault.LOST:
                raise httpx.ReadError("lost", request=request)
            return self._arrived(_refusal(fault, request), request, process)
        work = asyncio.get_running_loop().create_task(
            self._carry_out(request, sent, LATE_SECONDS.get(fault, 0.0) if fault else 0.0),
            context=self._world,
        )
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        if request.method != "GET":
            await _reach(process, f"waits for {what}")
        if fault is Fault.GATEWAY:
            await asyncio.sleep(self._way())
            return httpx.Response(
                502, headers={"content-type": "text/html"}, content=PROXY_PAGE, request=request
            )
        if fault is Fault.CUT_AND_LATE:
            await asyncio.sleep(self._way())
            raise httpx.ReadError("cut", request=request)
        response = await self._within(request, work)
        await asyncio.sleep(self._way())
        if fault is Fault.UNANSWERED:
            raise httpx.ReadError("lost", request=request)
        if fault is Fault.CUT:
            raise httpx.RemoteProtocolError("cut", request=request)
        await _reach(process, f"has {response.status_code} for {what}")
        self.counts[str(response.status_code)] += 1
        return self._arrived(response, request, process)

    def _arrived(
        self, response: httpx.Response, request: httpx.Request, process: Process
    ) -> httpx.Response:
        """An answer, of which its process knows from now on."""
        # Without a preflight, who asks for the account only wants to know how late it is.
        is_told = process.visit.preflight or request.method != "GET"
        if is_told and response.status_code in (401, 402, 403) and process.refused_at is None:
            process.refused_at = asyncio.get_running_loop().time()
        return response

    async def _within(
        self, request: httpx.Request, work: asyncio.Task[httpx.Response]
    ) -> httpx.Response:
        """The answer, if it comes before the client's time-out for reading."""
        seconds = request.extensions["timeout"]["read"]
        done, _ = await asyncio.wait({work}, timeout=seconds)
        if not done:
            raise httpx.ReadTimeout("silence", request=request)
        return work.result()

    def _way(self) -> float:
        return self._chance.uniform(0.002, 0.2)

    async def _carry_out(
        self, request: httpx.Request, sent: Sent, late_seconds: float
    ) -> httpx.Response:
        # What is on its way arrives, whatever becomes of who sent it.
        await asyncio.sleep(self._way())
        if late_seconds:
            self._api.slow_answers.order(late_seconds, 1)
        response = await _answer(self._app, request, sent.body)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self.refused_at.append((asyncio.get_running_loop().time(), sent.process))
        self.carried_out(sent, response.status_code)
        return response


def _ids(url: httpx.URL) -> tuple[str, ...]:
    """Which resources a URL names, in its query or its path."""
    ids = url.params.get("ids") or url.path.partition("/v1/")[2].partition("/")[2]
    return tuple(filter(None, ids.split(",")))


async def _reach(process: Process, what: str) -> None:
    """Reaches a point of I/O; what dies there waits forever."""
    loop = asyncio.get_running_loop()
    try:
        process.reach(what, loop.time())
    except Killed:
        await loop.create_future()
    while process.asleep_until > loop.time():
        await asyncio.sleep(process.asleep_until - loop.time())


def _refusal(fault: Fault, request: httpx.Request) -> httpx.Response:
    error = {"code": _CODES[fault], "message": "As the seed has it."}
    headers = {"retry-after": "1"} if fault is Fault.REFUSED else {}
    return httpx.Response(
        _STATUSES[fault],
        json={"success": False, "error": error},
        headers=headers,
        request=request,
    )


async def _answer(app: Any, request: httpx.Request, body: bytes) -> httpx.Response:
    """What the simulator's application answers."""
    status = 0
    headers: list[tuple[bytes, bytes]] = []
    pieces: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.extend(message["headers"])
        else:
            pieces.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, 443),
        "client": ("client", 1),
        "root_path": "",
    }
    await app(scope, receive, send)
    return httpx.Response(status, headers=headers, content=b"".join(pieces), request=request)
