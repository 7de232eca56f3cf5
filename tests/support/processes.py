"""How tests start processes, wait for what they do, and end them.

Nothing here is in a hurry: what comes in a second on a fast machine may take minutes on a busy one,
and only what never comes is a failure.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from filelock import FileLock

ROOT: Final = Path(__file__).resolve().parents[2]

PATIENCE_SECONDS: Final = 600
"""Of waiting for a process; a machine is never as slow as that."""

SHARED: Final = "PREFECT_STATICADSLAB_TESTS"
"""The environment variable with the folder that all test workers of a session share."""

PIPE: Final = subprocess.PIPE

Files = IO[Any] | int | None


class Ended(NamedTuple):
    """How a process ended, and what it told."""

    status: int
    out: str
    err: str


class _Warm:
    """The process that the others are forked from, one for all test workers of a session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        folder = Path(os.environ.get(SHARED) or tempfile.mkdtemp(prefix="tests-"))
        if SHARED not in os.environ:
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        with FileLock(folder / "warm.lock"):
            self._asking = _connected(folder / "warm") or _started(folder / "warm")
        # Before whoever started it waits for it, see `_started`.
        atexit.register(self._asking.close)

    def fork(self, request: dict[str, Any], streams: list[int]) -> tuple[int, socket.socket]:
        """Starts a process. Returns its id, and a socket that tells its status in the end."""
        body = json.dumps(request).encode()
        end, theirs = socket.socketpair()
        with self._lock, theirs:
            descriptors = [*streams, theirs.fileno()]
            socket.send_fds(self._asking, [len(body).to_bytes(4)], descriptors)
            self._asking.sendall(body)
        pid = end.recv(4)
        assert pid, "the process that others are forked from has ended"
        return int.from_bytes(pid), end


def _connected(place: Path) -> socket.socket | None:
    """A connection to the process that others are forked from, once it is ready, if there is one.

    It may be about to end, with the last worker before this one, and then it says nothing.
    """
    asking = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(OSError):
        asking.connect(str(place))
        if asking.recv(1):
            return asking
    asking.close()
    return None


def _started(place: Path) -> socket.socket:
    """A connection to a process that others are forked from, which this one has started.

    This one waits for its end in the end, so that what it took is among what this one took.
    """
    place.unlink(missing_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "SAL_"))}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    asking = socket.socket(socket.AF_UNIX)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        # Before it is there, since without a worker it would end.
        asking.connect(str(place))
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "support" / "warm.py"), str(listener.fileno())],
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**kept, "PYTHONPATH": path},
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    atexit.register(process.wait)
    assert asking.recv(1), "the process that others are forked from did not start"
    return asking


_warm = functools.cache(_Warm)


class _Forked(subprocess.Popen[str]):
    """A process as `subprocess` has it, but forked from one that has imported everything.

    It is a child of that one, so it is that one that is told its end.
    """

    def _execute_child(self, args: Any, *rest: Any) -> None:
        # The order of these has been the same since Python 3.9.
        (_, _, _, _, cwd, env, _, _, _, *pipes) = rest
        child_in, _, _, child_out, _, child_err = pipes[:6]
        streams = [child_in, child_out, child_err]
        streams = [number if each == -1 else each for number, each in enumerate(streams)]
        request = {
            "arguments": args,
            "folder": os.fspath(cwd),
            "environment": dict(env),
            "new_session": True,
        }
        try:
            self.pid, self._end = _warm().fork(request, streams)
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes[:6])  # type: ignore[attr-defined]

    def _try_wait(self, flags: int) -> tuple[int, int]:
        if flags & os.WNOHANG and not select.select([self._end], [], [], 0)[0]:
            return 0, 0
        status = self._end.recv(4)
        self._end.close()
        return self.pid, int.from_bytes(status) if status else signal.SIGKILL

    def _internal_poll(self, _deadstate: int | None = None, **_: Any) -> int | None:
        if self.returncode is None and hasattr(self, "_end"):
            with self._waitpid_lock:  # type: ignore[attr-defined]
                if self.returncode is None:
                    pid, status = self._try_wait(os.WNOHANG)
                    if pid:
                        self._handle_exitstatus(status)  # type: ignore[attr-defined]
        return self.returncode


def start(
    *arguments: str,
    env: Mapping[str, str],
    cwd: str | Path = ROOT,
    stdin: Files = None,
    stdout: Files = PIPE,
    stderr: Files = PIPE,
    cold: bool = False,
) -> subprocess.Popen[str]:
    """Starts Python with these arguments, in a session of its own.

    Unless it is to be a cold start, it does not import again what is in memory already.
    """
    is_forked = not cold and sys.platform == "linux"
    made = _Forked if is_forked else subprocess.Popen
    return made(
        list(arguments) if is_forked else [sys.executable, *arguments],
        env=env,
        cwd=cwd,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> Ended:
    """Waits for the end of a process."""
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return Ended(process.returncode, out or "", err or "")


def run(
    *arguments: str,
    env: Mapping[str, str],
    cwd: str | Path = ROOT,
    stderr: Files = PIPE,
    cold: bool = False,
) -> Ended:
    """Runs Python with these arguments to its end."""
    return ended(start(*arguments, env=env, cwd=cwd, stderr=stderr, cold=cold))


def start_program(
    program: str | Path,
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: str | Path = ROOT,
    stdout: Files = PIPE,
    stderr: Files = PIPE,
) -> subprocess.Popen[str]:
    """Starts any program, in a session of its own."""
    return subprocess.Popen(
        [str(program), *map(str, arguments)],
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )


def run_program(program: str | Path, *arguments: str | Path, **options: Any) -> Ended:
    """Runs any program to its end."""
    return ended(start_program(program, *arguments, **options))


def until(condition: Callable[[], object], process: subprocess.Popen[Any] | None = None) -> None:
    """Waits until something is so, and for no longer than there is a process that makes it so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        is_over = process is not None and process.poll() is not None
        if is_over and not condition():
            told = process.communicate() if process is not None else ()
            raise AssertionError(f"the process ended before: {told}")
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def line_with(text: str, stream: IO[str] | None) -> str:
    """The next line of a process that says something."""
    assert stream is not None
    for line in stream:
        if text in line:
            return line
    raise AssertionError(f"it ended without a line that says {text!r}")


def stop(process: subprocess.Popen[Any]) -> None:
    """Ends a process that is asked to, and one that does not listen all the same."""
    process.terminate()
    try:
        process.wait(timeout=PATIENCE_SECONDS / 10)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: subprocess.Popen[Any]) -> None:
    """Ends a process that `start` started, and its children, as a power cut does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def running(*arguments: str, log: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that writes into a file and is stopped in the end."""
    with log.open("ab") as written:
        process = start(*arguments, stdout=written, stderr=subprocess.STDOUT, **options)
    try:
        yield process
    finally:
        stop(process)


class Terminal:
    """A process whose stdin and stderr are a real terminal.

    Attributes:
        process: The process.
        shown: What the terminal has shown so far.
    """

    def __init__(self, *arguments: str, env: Mapping[str, str], waits_for: str) -> None:
        """Starts Python; `waits_for` is what it shows when it waits for keys."""
        self._screen, side = pty.openpty()
        self.process = start(*arguments, env=env, stdin=side, stderr=side)
        os.close(side)
        self.shown = ""
        self._waits_for = waits_for
        self._asked = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # A terminal whose last process is gone gives an error, or nothing.
        with contextlib.suppress(OSError):
            while part := os.read(self._screen, 4096):
                self.shown += part.decode(errors="replace")
                if self._waits_for in self.shown:
                    self._asked.set()
        self._asked.set()

    def wait(self) -> None:
        """Waits until it waits for keys, or has ended."""
        assert self._asked.wait(timeout=PATIENCE_SECONDS)

    def answers(self, keys: bytes) -> tuple[int, str]:
        """Types once it is asked. Returns the exit status, and what came on stdout."""
        self.wait()
        os.write(self._screen, keys)
        status, out, _ = ended(self.process)
        self._reader.join(timeout=PATIENCE_SECONDS)
        os.close(self._screen)
        return status, out


def can_make_small_disks() -> bool:
    """Whether this is Linux, and lets its users mount something for themselves."""
    probe = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]
    return (
        shutil.which("unshare") is not None and subprocess.run(probe, check=False).returncode == 0
    )
