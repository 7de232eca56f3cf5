"""The command: a `prefect.yaml` in the user's folder, for work pools."""

from __future__ import annotations

import argparse
from pathlib import Path

from prefect_staticadslab.cli.console import program_name
from prefect_staticadslab.cli.deployments import FILE, deployments_file

WRITTEN, IS_THERE = 0, 2
"""Exit statuses of the command: the file is there as it should be, or another one is there."""

NEXT_STEPS = """\
With PREFECT_API_URL set, and the key saved by `staticadslab blocks`, deploy what it says:

    prefect work-pool create ads --type process
    prefect --no-prompt deploy --all
    prefect worker start --pool ads

Relative paths are those of this folder."""


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab deploy`, which writes `prefect.yaml` here. Returns the exit status.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    given = _parser().parse_args(arguments)
    mode = "w" if given.overwrite else "x"
    try:
        with Path(FILE).open(mode, encoding="utf-8") as file:
            file.write(deployments_file())
    except FileExistsError:
        return _compare_with_existing_file()
    print(f"{FILE} is written: a deployment for each flow.\n{NEXT_STEPS}")  # noqa: T201
    return WRITTEN


def _compare_with_existing_file() -> int:
    """Prints whether the existing file is as it would be written now. Returns the exit status."""
    if Path(FILE).read_text(encoding="utf-8", errors="replace") == deployments_file():
        print(f"{FILE} is there already, as it would be written now.\n{NEXT_STEPS}")  # noqa: T201
        return WRITTEN
    print(  # noqa: T201
        f"{FILE} is there already and is another one, so it stays as it is. "
        "Replace it with --overwrite, or go to another folder."
    )
    return IS_THERE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program_name("deploy"),
        description=f"Writes a {FILE} into this folder, with a deployment for each flow: for work "
        "pools and their workers. Without these, `staticadslab serve` does.",
        epilog=f"Exit status: 0 it is there; 2 another {FILE} is there, and was left alone.",
    )
    parser.add_argument("--overwrite", action="store_true", help=f"replace a {FILE} that is there")
    return parser
