"""An S3 server that decides on one write at a time, as S3 does, and lets tests in between.

moto looks at a write's condition and writes in two steps, so that of two writes at once both may
find it fulfilled. Here they come one after the other, and each version of an object is kept.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import make_server


class Written(NamedTuple):
    """A version of an object, and the access key of who wrote it."""

    by: str
    content: bytes


class Lost(Exception):
    """Raised by a hook: the request, or the answer to it, does not arrive."""


Hook = Callable[[str, int], None]


def nothing(by: str, number: int) -> None:
    """The hook that lets everything pass."""


class S3Server:
    """An S3 server with one bucket, `ads`.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        versions: Of each object of the bucket, by its key, in the order of their writes.
        before: Called when a write of an object arrives, with the writer's access key and the
            number of the write among those of that key, from 1; nothing is decided yet.
        after: Called when it is decided, and not answered yet.
        knows_conditions: What it does with conditions of writes: True to keep them, None to take
            no notice of them, False to say that there are none.
    """

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._deciding = threading.Lock()
        self.reset()
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=MotoRequestHandler
        )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def reset(self) -> None:
        """Empties the bucket, and forgets the hooks and what was written."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        backend.reset()
        backend.create_bucket("ads", "us-east-1")
        self.versions: dict[str, list[Written]] = {}
        self.before: Hook = nothing
        self.after: Hook = nothing
        self.knows_conditions: bool | None = True
        self._writes: Counter[str] = Counter()

    def environment(self, run: str = "test") -> dict[str, str]:
        """What a process that writes with this access key finds it by."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": run,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        is_write = environ["REQUEST_METHOD"] == "PUT"
        signed = re.search(r"Credential=(.*?)/", environ.get("HTTP_AUTHORIZATION", ""))
        by = signed[1] if signed else ""
        self._writes[by] += is_write
        number = self._writes[by]
        try:
            if is_write:
                self.before(by, number)
                if self.knows_conditions is not True:
                    conditions = [environ.pop(f"HTTP_IF_{name}MATCH", "") for name in ("", "NONE_")]
                    if self.knows_conditions is False and any(conditions):
                        return _refuse(start_response, "501 Not Implemented", "NotImplemented")
            with self._deciding:
                status, headers, body = self._decided(environ)
                if is_write and status.startswith("200"):
                    self._keep(by, environ["PATH_INFO"].removeprefix("/ads/"))
            if is_write:
                self.after(by, number)
        except Lost:
            return _refuse(start_response, "500 Internal Server Error", "InternalError")
        start_response(status, headers)
        return [body]

    def _decided(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        said: list[Any] = []
        answer = self._moto(environ, lambda *status_and_headers: said.append(status_and_headers))
        body = b"".join(answer)
        status, headers, *_ = said[-1]
        return status, headers, body

    def _keep(self, by: str, key: str) -> None:
        stored = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_object("ads", key)
        assert stored is not None
        self.versions.setdefault(key, []).append(Written(by, stored.value))


def _refuse(start_response: Any, status: str, code: str) -> list[bytes]:
    start_response(status, [("Content-Type", "application/xml")])
    return [f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()]
