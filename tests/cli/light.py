"""A Python that has imported only what refuses a spreadsheet, and forks when asked.

So that a process begins with nothing large in memory, without a Python's start for each. If these
modules imported pandas or Prefect, each of its processes would have it, and say so.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.processes import ROOT, Ended

IMPORTED: Final = (
    "campaign.campaign",
    "campaign.job_types.design_templates",
    "campaign.job_types.image_ads",
    "campaign.job_types.revisions",
    "cli.commands.campaign",
    "cli.commands.catalog",
    "cli.commands.create_ads",
    "cli.commands.design_templates",
    "cli.commands.download",
    "cli.commands.inbox",
    "cli.commands.revise",
    "cli.prefect_settings",
)
"""What reads and refuses a spreadsheet, and the commands that begin without Prefect."""


class LightPython:
    """Starts that process. To be closed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.light"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )

    def run(
        self, code: str, *arguments: str, env: Mapping[str, str], cwd: Path, told: Path
    ) -> Ended:
        """Runs a program with these arguments to its end, in a process of its own.

        Args:
            code: The program.
            arguments: Its arguments.
            env: Its environment.
            cwd: Its folder.
            told: A folder for what it tells.
        """
        out, err = told / "out", told / "err"
        request = [code, arguments, dict(env), str(cwd), str(out), str(err)]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return Ended(status, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

    def close(self) -> None:
        """Ends the process, once it has nothing more to do."""
        self._process.communicate()


def serve() -> Any:
    """Forks when asked. Returns in each forked process what it is to run; else None, at the end."""
    for name in IMPORTED:
        importlib.import_module(f"prefect_staticadslab.{name}")
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            return json.loads(line)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    return None


def become(arguments: list[str], environment: dict[str, str], folder: str, *told: str) -> None:
    """Makes this process what it would be had Python been started with this."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    places = [(0, os.devnull, os.O_RDONLY)]
    places += [(number, place, os.O_WRONLY | os.O_CREAT) for number, place in enumerate(told, 1)]
    for number, place, flags in places:
        opened = os.open(place, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv, sys.path[0] = ["-c", *arguments], ""


if __name__ == "__main__":
    wanted = serve()
    if wanted is not None:
        program, *rest = wanted
        become(*rest)
        exec(program, {"__name__": "__main__"})
