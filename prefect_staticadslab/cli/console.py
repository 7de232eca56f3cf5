"""What a command says."""

from __future__ import annotations

import sys


def say(text: str, *, end: str = "\n", is_error: bool = False) -> None:
    """Prints what a command says: what comes from cells or the API moves no cursor there."""
    # It takes pandas along, which takes longer than any --help.
    from prefect_staticadslab.campaign.files.cells import visible

    print(visible(text), end=end, file=sys.stderr if is_error else sys.stdout, flush=True)
