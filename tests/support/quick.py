"""What tests wait for less than users do: jobs of a simulator are looked at often."""

from __future__ import annotations

from prefect_staticadslab.api.retries.key_lock import WORK_SECONDS
from prefect_staticadslab.campaign.pipeline import session
from prefect_staticadslab.campaign.pipeline.poll_schedule import Timing


def wait_for_less(work_seconds: float = WORK_SECONDS) -> None:
    """Has what this process starts from now on ask soon for the jobs that it waits for.

    Args:
        work_seconds: How long the simulator may work on a create that another run has sent; by
            default as long as the API may, for processes that run side by side.
    """
    session.TIMING = Timing(poll_seconds=0.05, work_seconds=work_seconds)
