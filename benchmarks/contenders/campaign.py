"""This package's command, with its polls and checkpoints in the benchmark's time."""

from __future__ import annotations

import sys

from benchmarks.contenders.common import POLL_SECONDS
from flows.campaign import main
from prefect_staticadslab.campaign.pipeline import poll_schedule as poll_plan

if __name__ == "__main__":
    poll_plan.POLL_SECONDS = POLL_SECONDS  # type: ignore[misc]
    # Nobody is there to be asked, whatever it costs.
    sys.exit(main([*sys.argv[1:3], "--yes"]))
