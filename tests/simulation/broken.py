"""A process in which one decision of the product is broken on purpose."""

from __future__ import annotations

import logging
import sys
import warnings
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from tests.simulation.mutation_list import MUTATIONS, UNBROKEN, Mutation


class _Loader(SourceFileLoader):
    """Loads a module with its mutation, past the bytecode that is kept of it as it is."""

    def __init__(self, name: str, path: str, mutation: Mutation) -> None:
        super().__init__(name, path)
        self._mutation = mutation

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._mutation.applied(Path(self.path).read_text()), self.path, "exec")


class _Finder(MetaPathFinder):
    """Finds the module that a mutation is for."""

    def __init__(self, mutation: Mutation) -> None:
        self._mutation = mutation

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self._mutation.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(fullname, spec.origin, self._mutation)
        return spec


@dataclass(frozen=True)
class Found:
    """What the simulation made of a mutation.

    Attributes:
        name: The mutation's.
        campaigns: After how many drawn campaigns something was wrong, or how many there were.
        violation: What was wrong; "" if nothing was.
        was_known: Whether no drawn one showed it, but one that is written out.
    """

    name: str
    campaigns: int
    violation: str
    was_known: bool = False


def first_violation(name: str, campaigns: int, most_rows: int) -> Found:
    """Breaks one decision in this process, in which nothing of the product is loaded yet.

    Args:
        name: The mutation's, or `UNBROKEN`.
        campaigns: How many are drawn at most.
        most_rows: The most rows of one.
    """
    if name != UNBROKEN:
        sys.meta_path.insert(0, _Finder(next(m for m in MUTATIONS if m.name == name)))
    # Prefect has seen the blocks before, in the process that this one was forked from.
    warnings.simplefilter("ignore")
    # Only now, so that what these import is broken.
    from tests.simulation.stories.fate import live
    from tests.simulation.stories.known import KNOWN
    from tests.simulation.stories.scenes import draw

    logging.disable(logging.CRITICAL)
    for number in range(campaigns):
        fate = live(draw(f"mutant.{number}", most_rows=most_rows))
        if fate.violations:
            return Found(name, number + 1, fate.violations[0])
    for plan in KNOWN:
        if violations := live(plan).violations:
            return Found(name, campaigns, violations[0], was_known=True)
    return Found(name, campaigns, "")
