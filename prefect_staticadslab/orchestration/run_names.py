"""What runs are called in Prefect: short, and on one line, whatever somebody typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prefect.runtime import flow_run

from prefect_staticadslab.campaign.files.cells import shortened, visible
from prefect_staticadslab.campaign.files.locations import redacted

LONGEST_NAME: Final = 200
"""Characters. The UI has room for fewer; and a place may be an address of thousands."""


def run_name(what: str, place: str) -> str:
    """A run's name: what it does, and where; short, on one line, and without a URL's password.

    Example:
        ```python
        from prefect_staticadslab.orchestration.run_names import run_name

        assert run_name("campaign", "ads/summer.csv") == "campaign ads/summer.csv"
        assert run_name("campaign", "a\\x1b[2J.csv").isprintable()
        ```
    """
    return visible(shortened(f"{what} {redacted(place)}", LONGEST_NAME))


def named_by(what: str, parameter: str) -> Callable[[], str]:
    """A flow's `flow_run_name`: a function that names the run by `what` and one of its parameters.

    Args:
        what: What the flow does, such as `download`.
        parameter: The parameter that says where, or with what.
    """

    def name_this_run() -> str:
        return run_name(what, str(flow_run.parameters.get(parameter, "")))

    return name_this_run
