"""Serves every flow from this process, in the project's folder: no work pool, no worker.

    prefect server start                 # in one terminal; PREFECT_API_URL says where it is
    python blocks/save.py                # once, with SAL_API_KEY set
    python deployments/serve.py          # in another

Then start a run from the UI, or with `prefect deployment run campaign/campaign`. What is served is
what `prefect.yaml` says; there schedules are switched on, too. `staticadslab serve` is the same, in
whatever folder it is typed.
"""

import os
from pathlib import Path

from prefect_staticadslab.cli.commands.serve import main

if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent)
    raise SystemExit(main())
