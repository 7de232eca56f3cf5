"""This package's command, with its polls and checkpoints in the benchmark's time."""

from __future__ import annotations

import sys

from benchmarks.contenders.common import POLL_SECONDS
from prefect_staticadslab.campaign.pipeline import session
from prefect_staticadslab.campaign.pipeline.poll_schedule import Timing
from prefect_staticadslab.cli.commands.campaign import main

if __name__ == "__main__":
    session.TIMING = Timing(poll_seconds=POLL_SECONDS)
    # Nobody is there to be asked, whatever it costs.
    sys.exit(main([*sys.argv[1:3], "--yes"]))
