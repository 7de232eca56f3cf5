"""A process with little time and memory, and sheets of a few rows, for what must cost little.

What used to take minutes, hours or all memory runs in a process of its own, whose processor time
and memory are bounded: there it would be killed, and what is mended takes a moment.
"""

from __future__ import annotations

import os
import textwrap
from typing import Any

from prefect_staticadslab.campaign.files.cells import Spreadsheet
from tests.support.processes import run

CPU_SECONDS = 60
"""Ten times what these take together on a slow machine; a hundredth of what one of them took."""

MEMORY = 3_000_000_000
"""Of address space, in bytes; Python, pandas and their threads reserve one of them."""

LIMITED = f"""\
import resource
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS}))
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
"""

IDS = ("design_template_id", "brand_id", "product_id", "audience_id")


def within_bounds(code: str) -> str:
    """What a piece of code prints, in a process with little time and memory."""
    done = run("-c", LIMITED + textwrap.dedent(code), env=os.environ)
    assert done.status == 0, f"status {done.status}: {done.err[-2000:]}"
    return done.out


def sheet(header: tuple[str, ...], *rows: tuple[Any, ...]) -> Spreadsheet:
    return Spreadsheet(tuple(header), rows, tuple(range(2, 2 + len(rows))))
