"""The simulator on a socket of this machine, in a thread of this process."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Any, Final, Self

import uvicorn

from prefect_staticadslab.simulator.http.app import make_app
from prefect_staticadslab.simulator.http.faults import Faults, Protocol
from prefect_staticadslab.simulator.http.guard import Guard
from prefect_staticadslab.simulator.model.settings import Settings
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

HOST: Final = "127.0.0.1"


class SimulatorServer:
    """Runs a simulator while the `with` block does.

    Args:
        port: The port to listen on; 0 takes a free one.
        **settings: See `Settings`.

    Attributes:
        url: Its base URL, such as `http://127.0.0.1:8321`.
        api: What it simulates; tests read the truth here.
    """

    def __init__(self, *, port: int = 0, **settings: Any) -> None:
        self.api = SimulatedAPI(Settings(**settings))
        # Named as TCP, or asyncio leaves Nagle's delay on: 40 ms for each answer.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, port))
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                Guard(Faults(make_app(self.api), self.api)),
                http=Protocol,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)

    def __enter__(self) -> Self:
        self.listen()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=5)
        self._socket.close()

    def listen(self) -> None:
        """Lets connections wait from now on; before, they are refused."""
        self._socket.listen(2048)

    def serve_forever(self) -> None:
        """Runs it in this thread, until it is interrupted."""
        self.listen()
        self._run()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
