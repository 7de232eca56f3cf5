"""Fuzzes the parsers of what arrives; see `tests.security.fuzz`."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from tests.security.fuzz.children import run_all, run_here
from tests.security.fuzz.examine import repeat
from tests.security.fuzz.targets import TARGETS


def main() -> int:
    """Runs the command. Returns 1 if anything was found."""
    parser = _parser()
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if given.repeat:
        if len(given.targets) != 1:
            parser.error("name the target that the input is of")
        repeat(TARGETS[given.targets[0]], given.repeat)
        return 0
    seed = secrets.randbits(32) if given.seed is None else given.seed
    if given.child:
        target = TARGETS[given.targets[0]]
        run_here(target, seed=seed, seconds=given.seconds, folder=given.folder)
        return 0
    folder = given.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Inputs that must not be, and logs: {folder}", flush=True)
    names = given.targets or list(TARGETS)
    reports = run_all(names, seed=seed, seconds=given.seconds, folder=folder)
    found = sum(len(report.findings) for report in reports)
    print(f"{sum(report.inputs for report in reports):,} inputs, {found} found.")
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.security.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=3600.0, help="per target; an hour")
    parser.add_argument("--seed", type=int, help="makes the same inputs again")
    parser.add_argument("--folder", type=Path, help="for what was found; a temporary one")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="give this input once more")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
