"""The flows: what is deployed, and what commands run in Prefect."""

from __future__ import annotations

import runpy
import sys


def run_as_command(name: str) -> None:
    """Runs `staticadslab NAME` with this process's arguments, and ends the process with its status.

    So `python -m prefect_staticadslab.flows.NAME` is the command. The commands are above the flows,
    which do not import them: they are found by the package's name. Changes `sys.argv`.
    """
    sys.argv[1:1] = [name]
    runpy.run_module("prefect_staticadslab", run_name="__main__", alter_sys=True)
