"""A Python that has imported Prefect, pandas and this package, and forks a process when asked.

Half a second of a command's life is its own; its imports are several. A process that is forked
here is one of its own in all that tests look at: its environment, folder, streams, signals, memory
and end. Only for jobs it waits less than a user's. Run by `tests.support.processes`, with the
number of a socket that listens: all test workers ask the same one. What a worker asked for and did
not see the end of ends with the worker, however that one ends, and this one ends with the last of
them.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from tests import RARELY
from tests.support.prefect_settings import KnownSettings, Settings, enter
from tests.support.quick import wait_for_less

HELLO = b"!"
"""What a worker is told once this one is there."""

HEAVY = (
    "anyio._backends._asyncio",
    "asyncio",
    "httpx_sse",
    "openpyxl",
    "pandas",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "prefect",
    "prefect.artifacts",
    "prefect.cli",
    "prefect.cli.deploy",
    "prefect.cli.server",
    "prefect.client.orchestration",
    "prefect.deployments",
    "prefect.events",
    "prefect.events.clients",
    "prefect.events.worker",
    "prefect.flow_engine",
    "prefect.logging.handlers",
    "prefect.runner",
    "prefect.server.api.server",
    "prefect.task_engine",
    "prefect.utilities.visualization",
    "rich.progress",
    "s3fs",
    "uvicorn",
)
"""What the commands and Prefect's server import, and what their first run imports."""


def import_all() -> None:
    """Imports what the commands do, but no flow: those are read anew, as scripts."""
    package = importlib.import_module("prefect_staticadslab")
    for found in pkgutil.walk_packages(package.__path__, "prefect_staticadslab."):
        parts = found.name.split(".")
        # The flows and blocks are part of the package in a wheel.
        if "__main__" not in parts and parts[1] not in ("flows", "blocks"):
            importlib.import_module(found.name)
    wait_for_less()
    for name in HEAVY:
        importlib.import_module(name)
    # Prefect's own commands import these each time; Dask's is not in every environment.
    for collection in entry_points(group="prefect.collections"):
        with contextlib.suppress(ImportError):
            collection.load()
    # Whatever has imported Ray imports this when it ends.
    with contextlib.suppress(ImportError):
        importlib.import_module("ray.dag")
    gc.collect()
    gc.freeze()


class _Worker:
    """Whoever asks for processes, and those that it has not seen the end of.

    Attributes:
        asking: The socket that it asks by.
        ends: By process, the socket that tells its end.
    """

    def __init__(self, asking: socket.socket) -> None:
        self.asking = asking
        self.ends: dict[int, socket.socket] = {}
        asking.sendall(HELLO)

    def leave(self) -> None:
        """Ends what is left of it, as a power cut does."""
        for pid, end in self.ends.items():
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(OSError):
                    kill(pid, signal.SIGKILL)
            end.close()
        self.asking.close()


def serve(listener: socket.socket) -> tuple[dict[str, Any], Settings | None] | None:
    """Forks when asked.

    Returns:
        In each forked process what it is to run, and Prefect's settings there if they are known;
        else None, at the end.
    """
    known_settings = KnownSettings()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    workers = {worker.asking: worker for worker in [_Worker(listener.accept()[0])]}
    while workers:
        watched: list[Any] = [listener, woken, *workers]
        ready, _, _ = select.select(watched, [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ends(list(workers.values()))
        for asking in workers.keys() & set(ready):
            head, descriptors, _, _ = socket.recv_fds(asking, 4, 4)
            if not head:
                workers.pop(asking).leave()
                continue
            request = json.loads(_read(asking, int.from_bytes(head)))
            end = socket.socket(fileno=descriptors.pop())
            settings = known_settings.find(request)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                others = [each for worker in workers.values() for each in worker.ends.values()]
                for other in (listener, end, *workers, *others):
                    other.close()
                os.close(woken)
                os.close(wake)
                for number, descriptor in enumerate(descriptors):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                return request, settings
            for descriptor in descriptors:
                os.close(descriptor)
            workers[asking].ends[pid] = end
            end.sendall(pid.to_bytes(4))
        if listener in ready:
            worker = _Worker(listener.accept()[0])
            workers[worker.asking] = worker
    return None


def _tell_ends(workers: list[_Worker]) -> None:
    """Tells whoever asked for the processes that have ended how they did."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            for end in (worker.ends.pop(pid) for worker in workers if pid in worker.ends):
                # Maybe nobody waits for it any more.
                with end, contextlib.suppress(OSError):
                    end.sendall(status.to_bytes(4))


def _read(asked: socket.socket, length: int) -> bytes:
    read = b""
    while len(read) < length:
        read += asked.recv(length - len(read))
    return read


def become(request: dict[str, Any], settings: Settings | None) -> tuple[Any, dict[str, Any]]:
    """Makes this process what it would be had Python been started with this.

    Args:
        request: Arguments, environment, folder, and whether it has a session of its own.
        settings: Prefect's settings there, if they are known.

    Returns:
        Its code, and the names that this begins with.
    """
    if request["new_session"]:
        os.setsid()
    enter(request)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdout.reconfigure(  # type: ignore[union-attr]
        line_buffering=os.isatty(1), write_through=unbuffered
    )
    (settings or Settings.read()).apply()
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    match request["arguments"]:
        case ["-c", code, *rest]:
            sys.argv, sys.path[0] = ["-c", *rest], ""
            compiled: Any = compile(code, "<string>", "exec")
        case ["-m", name, *rest]:
            sys.path[0] = str(Path.cwd())
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.submodule_search_locations is not None:
                spec = importlib.util.find_spec(f"{name}.__main__")
            assert spec is not None
            assert spec.loader is not None
            assert spec.origin is not None
            main.__spec__, main.__package__, main.__file__ = spec, spec.parent, spec.origin
            sys.argv = [spec.origin, *rest]
            compiled = spec.loader.get_code(spec.name)  # type: ignore[attr-defined]
        case [script, *rest]:
            place = Path(script)
            sys.argv, sys.path[0] = [script, *rest], str(place.resolve().parent)
            main.__file__ = str(place.absolute())
            compiled = compile(place.read_bytes(), script, "exec")
    return compiled, main.__dict__


def run_to_its_end(code: Any, names: dict[str, Any]) -> NoReturn:
    """Runs a program as Python does, and ends the process as Python does, but for one thing.

    What was imported before the fork is not taken apart: that is a third of a second of a
    processor, most of it for copying memory that nobody looks at again.

    Raises:
        KeyboardInterrupt: The program was interrupted; Python ends by the signal, then.
    """
    status = 0
    try:
        exec(code, names)
    except SystemExit as end:
        status = _status_of(end)
    except KeyboardInterrupt:
        raise
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    # What the program itself has left behind is taken apart, and may say so.
    names.clear()
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # The status that Python has for what it could not print.
            status = 120
    os._exit(status)


def _status_of(end: SystemExit) -> int:
    match end.code:
        case None:
            return 0
        case int(status):
            return status & 0xFF
        case said:
            print(said, file=sys.stderr)
            return 1


if __name__ == "__main__":
    listening = socket.socket(fileno=int(sys.argv[1]))
    gc.set_threshold(*RARELY)
    import_all()
    wanted = serve(listening)
    if wanted is not None:
        run_to_its_end(*become(*wanted))
