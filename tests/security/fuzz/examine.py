"""One target in this process: for a time, or for a number of inputs."""

from __future__ import annotations

import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.security.fuzz.target import BrokenPromiseError, Target, read, written

ROUND: Final = 500
"""Inputs that hypothesis makes before it begins anew with another seed."""

SLOW_SECONDS: Final = 10.0
"""Of CPU that an input may take."""

ENDLESS_SECONDS: Final = 120
WAITED_SECONDS: Final = 900
"""Of CPU, and by the clock, after which an input is stopped."""

MOST_MEGABYTES: Final = 1_000
"""That a refused input may take; docs/security.md promises it."""


@dataclass(frozen=True)
class Finding:
    """Something that must not be.

    Attributes:
        kind: What sets it apart from others: an exception and where it was raised.
        message: What happened.
        input: Where the input was saved; "" if it was not.
    """

    kind: str
    message: str
    input: str = ""


@dataclass
class Report:
    """What came of a target's fuzz. Times are seconds of CPU, but for `seconds` by the clock."""

    target: str
    seconds: float = 0.0
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    peak_megabytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As another process can be told it."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Report:
        """What another process told."""
        findings = [Finding(**each) for each in told.pop("findings")]
        return cls(**told, findings=findings)


class _EnoughError(BaseException):
    """The time is over."""


class _EndlessError(BaseException):
    """An input does not come to an end; what parsers catch must not catch this."""


class Examination:
    """Gives inputs to a target and notes what comes of them.

    Args:
        target: The target.
        folder: Where inputs that must not be are saved, and the current one before it is tried;
            None for nowhere.
        smallest: Whether what must not be is made as small as it can be, which takes a while.
    """

    def __init__(
        self, target: Target, folder: Path | None = None, *, smallest: bool = True
    ) -> None:
        self.report = Report(target.name)
        self._phases = [Phase.generate, *([Phase.shrink] if smallest else [])]
        self._target = target
        self._folder = folder
        self._known: set[str] = set()
        self._failing: tuple[str, Any, str] | None = None
        self._end: float | None = None
        # What the process took for something else is no input's.
        self._megabytes_before = self.report.peak_megabytes = peak_megabytes()

    def run(self, *, seed_of_all: int, seconds: float = 0.0, count: int = 0) -> Report:
        """Goes on for some seconds, or for some inputs.

        Args:
            seed_of_all: The same seed and count make the same inputs.
            seconds: By the clock.
            count: Of inputs; 0 if the time counts.
        """
        started = time.monotonic()
        self._end = None if count else started + seconds
        rounds = 0
        with _endless_inputs_stopped():
            while self._goes_on(count, rounds):
                try:
                    self._round(seed_of_all + rounds, min(count or ROUND, ROUND))
                except _EnoughError:
                    break
                rounds += 1
        self.report.seconds = time.monotonic() - started
        self.report.peak_megabytes = max(self.report.peak_megabytes, peak_megabytes())
        return self.report

    def _goes_on(self, count: int, rounds: int) -> bool:
        return rounds * ROUND < count if count else time.monotonic() < (self._end or 0)

    def _round(self, number: int, count: int) -> None:
        quiet = settings(
            max_examples=count,
            deadline=None,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=self._phases,
        )
        self._failing = None
        run: Callable[[], None] = quiet(seed(number)(given(self._target.inputs())(self._try)))
        try:
            run()
        except _EndlessError:
            self._note_failure(f"no end after {ENDLESS_SECONDS} s of CPU or {WAITED_SECONDS} s")
        except Exception as error:
            # It may be hypothesis's own, of an input that fails only now and then.
            self._note_failure("" if self._failing else repr(error))

    def _try(self, value: Any) -> None:
        # While an input is made smaller, all that is tried counts, or it would seem to be mended.
        if self._end is not None and self._failing is None and time.monotonic() > self._end:
            raise _EnoughError
        self._save("current", value)
        _stop_after(ENDLESS_SECONDS, WAITED_SECONDS)
        started = time.process_time()
        refused = False
        try:
            self._target.examine(value)
        except self._target.refusals:
            refused = True
        except _EndlessError:
            self._failing = ("endless", value, "")
            raise
        except Exception as error:
            kind = _kind(error)
            if kind in self._known:
                return
            self._failing = (kind, value, "".join(traceback.format_exception(error)))
            raise
        finally:
            _stop_after(0, 0)
            self.report.inputs += 1
        self.report.refused += refused
        self.report.accepted += not refused
        self._measure(value, time.process_time() - started, refused=refused)

    def _measure(self, value: Any, seconds: float, *, refused: bool) -> None:
        if seconds > self.report.slowest:
            self.report.slowest = seconds
            if seconds > SLOW_SECONDS:
                self._note("slow", f"took {seconds:.1f} s of CPU", value)
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 > self.report.peak_megabytes:
            self.report.peak_megabytes = peak_megabytes()
            taken = self.report.peak_megabytes - self._megabytes_before
            if refused and taken > MOST_MEGABYTES:
                self._note("memory", f"took {taken} MB, refused", value)

    def _note_failure(self, otherwise: str) -> None:
        kind, value, message = self._failing or ("hypothesis", None, "")
        self._known.add(kind)
        self._note(kind, message or otherwise, value)

    def _note(self, kind: str, message: str, value: Any) -> None:
        place = self._save(f"{len(self.report.findings) + 1}", value)
        self.report.findings.append(Finding(kind, message, place))

    def _save(self, name: str, value: Any) -> str:
        if self._folder is None:
            return repr(value)[:2000] if name != "current" else ""
        ending, content = written(value)
        path = self._folder / f"{self._target.name}-{name}{ending}"
        path.write_bytes(content)
        return str(path)


def examine(
    target: Target,
    *,
    seed: int,
    seconds: float = 0.0,
    count: int = 0,
    folder: Path | None = None,
    smallest: bool = True,
) -> Report:
    """Fuzzes one target here; see `Examination`."""
    examination = Examination(target, folder, smallest=smallest)
    return examination.run(seed_of_all=seed, seconds=seconds, count=count)


def repeat(target: Target, path: Path) -> None:
    """Gives a saved input to a target once more; what it raises, but for refusals, goes through."""
    try:
        target.examine(read(path))
    except target.refusals as refusal:
        print(f"Refused: {refusal}")
    else:
        print("Accepted.")


def peak_megabytes() -> int:
    """The most memory that this process has had."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0


def _kind(error: Exception) -> str:
    """What tells a crash from another one: what was raised where, in the project or else at all."""
    if isinstance(error, BrokenPromiseError):
        return f"promise: {error.args[0]}"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "prefect_staticadslab" in frame.filename]
    where = (ours or frames)[-1]
    return f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"


@contextmanager
def _endless_inputs_stopped() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _EndlessError

    before = [(number, signal.signal(number, stop)) for number in (signal.SIGPROF, signal.SIGALRM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _stop_after(cpu_seconds: float, seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds)
