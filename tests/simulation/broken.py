"""A process of its own in which one decision of the product is broken on purpose.

`python -m tests.simulation.broken NAME --campaigns N` says after how many drawn campaigns the
simulation has found the mutation of that name, as JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
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


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.broken")
    parser.add_argument("name")
    parser.add_argument("--campaigns", type=int, default=300)
    parser.add_argument("--seed", default="mutant")
    given = parser.parse_args(arguments)
    if given.name != UNBROKEN:
        sys.meta_path.insert(0, _Finder(next(m for m in MUTATIONS if m.name == given.name)))
    # Only now, so that what these import is broken.
    from tests.simulation.stories.fate import live
    from tests.simulation.stories.plan import draw

    logging.disable(logging.CRITICAL)
    found: dict[str, Any] = {"campaigns": given.campaigns, "violation": ""}
    for number in range(given.campaigns):
        fate = live(draw(f"{given.seed}.{number}", most_rows=30))
        if fate.violations:
            found = {"campaigns": number + 1, "violation": fate.violations[0]}
            break
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
