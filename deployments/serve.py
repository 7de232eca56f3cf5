"""Serves every flow from this process: no work pool, no worker.

    prefect server start                 # in one terminal; PREFECT_API_URL says where it is
    python blocks/save.py                # once, with SAL_API_KEY set
    python deployments/serve.py          # in another

Then start a run from the UI, or with `prefect deployment run campaign/campaign`. What is served is
what `prefect.yaml` says; there schedules are switched on, too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from prefect import Flow, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Schedule
from ruamel.yaml import YAML

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.cli.temporary_server import closed_temporary_server
from prefect_staticadslab.orchestration.deployment_steps import find_block

ROOT: Final = Path(__file__).resolve().parent.parent
DEFAULT_BLOCK: Final = "static-ads-lab"


def deployments(block: str = DEFAULT_BLOCK) -> list[RunnerDeployment]:
    """The deployments of `prefect.yaml`, with this credentials block."""
    written = YAML(typ="safe").load(ROOT / "prefect.yaml")
    saved = find_block(f"{StaticAdsLabCredentials.get_block_type_slug()}/{block}")
    return [_deployment(entry, saved["reference"]) for entry in written["deployments"]]


def _deployment(entry: dict[str, Any], credentials: dict[str, Any]) -> RunnerDeployment:
    parameters = dict(entry.get("parameters", {}))
    if "credentials" in parameters:
        parameters["credentials"] = credentials
    limit = entry.get("concurrency_limit")
    # A source is where a run works, too: relative paths are the project's, as on a work pool.
    flow = Flow.from_source(ROOT, entry["entrypoint"])
    assert isinstance(flow, Flow)
    made = flow.to_deployment(
        name=entry["name"],
        description=entry["description"],
        tags=entry["tags"],
        parameters=parameters,
        triggers=entry.get("triggers"),
        schedules=[Schedule(**written) for written in entry.get("schedules", [])],
        concurrency_limit=ConcurrencyLimitConfig(**limit) if limit else None,
    )
    assert isinstance(made, RunnerDeployment)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(description="Serves every flow from this process.")
    parser.add_argument("--block", default=DEFAULT_BLOCK, help="credentials block (%(default)s)")
    given = parser.parse_args(arguments)
    with closed_temporary_server():
        serve(*deployments(given.block))
    return 0


if __name__ == "__main__":
    sys.exit(main())
