"""The flows: what is deployed, and what commands run in Prefect."""

from __future__ import annotations

import runpy
import sys


def run_as_command(name: str) -> None:
    """Has `python -m prefect_staticadslab.flows.NAME` be the command of this name, which is above
    the flows and is not imported by them."""
    sys.argv[1:1] = [name]
    runpy.run_module("prefect_staticadslab", run_name="__main__", alter_sys=True)
