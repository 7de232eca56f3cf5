"""Serves the campaign flow from this process: no work pool, no worker.

    prefect server start                 # in one terminal; PREFECT_API_URL says where it is
    python blocks/save.py                # once, with SAL_API_KEY set
    python deployments/serve.py          # in another

Then start it from the UI, or with `prefect deployment run campaign/campaign`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from prefect import Flow, serve
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import load_flow_from_entrypoint

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_BLOCK = "static-ads-lab"


def campaign_deployment(block: str = DEFAULT_BLOCK) -> RunnerDeployment:
    """The deployment of the campaign flow, with a saved credentials block."""
    campaign: Flow[..., Any] = load_flow_from_entrypoint(
        f"{ROOT / 'flows' / 'campaign.py'}:campaign"
    )
    deployment = campaign.to_deployment(
        name="campaign",
        description="A campaign spreadsheet becomes a table of image URLs.",
        tags=["static-ads-lab"],
        parameters={
            "credentials": {"$ref": {"block_document_slug": f"static-ads-lab-credentials/{block}"}}
        },
        # The reference is resolved when the flow runs; here it is no block yet.
        enforce_parameter_schema=False,
    )
    assert isinstance(deployment, RunnerDeployment)
    return deployment


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(description="Serves the campaign flow from this process.")
    parser.add_argument("--block", default=DEFAULT_BLOCK, help="credentials block (%(default)s)")
    given = parser.parse_args(arguments)
    serve(campaign_deployment(given.block))
    return 0


if __name__ == "__main__":
    sys.exit(main())
