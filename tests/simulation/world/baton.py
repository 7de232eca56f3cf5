"""Who of two processes may go on: each goes on until it has reached a point of I/O that is set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.simulation.world.process import Process


@dataclass
class Baton:
    """Is held by one process; nothing of the others runs.

    Attributes:
        order: How many points of I/O its holder reaches before the next one holds it; after the
            last of these, it is held until its holder has ended.
        processes: Who may hold it, in this order and again.
        switches: How often it was handed over at a point.
    """

    order: Sequence[int] = ()
    processes: list[Process] = field(default_factory=list)
    switches: int = 0
    _reached: int = 0

    def lets(self, process: Process) -> bool:
        """Whether a process may run."""
        return not self.processes or process is self.processes[0]

    def reached(self, process: Process) -> None:
        """A process has reached a point of I/O."""
        if not self.lets(process) or self.switches >= len(self.order):
            return
        self._reached += 1
        if self._reached == self.order[self.switches] and len(self.processes) > 1:
            self._reached = 0
            self.switches += 1
            self._hand_over([*self.processes[1:], process])

    def has_ended(self, process: Process) -> None:
        """A process has ended: who is next may run to its end."""
        rest = [other for other in self.processes if other is not process]
        self._hand_over(rest)

    def _hand_over(self, processes: list[Process]) -> None:
        self.processes = processes
        if processes:
            processes[0].wake_up()
