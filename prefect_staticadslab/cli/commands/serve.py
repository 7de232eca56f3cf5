"""The command: every flow is served from this process, without a work pool or a worker."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from prefect_staticadslab.cli.console import program_name, say
from prefect_staticadslab.cli.deployments import deployments_file

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

DEFAULT_BLOCK: Final = "static-ads-lab"


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab serve`, which serves all flows until it is interrupted. Returns the exit
    status: 2 if Prefect's server does not answer.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    from prefect_staticadslab.brand_kits.kit import block_name_problem

    if wrong := block_name_problem(given.block):
        parser.error(f"--block: {wrong}")
    from prefect import serve

    from prefect_staticadslab.brand_kits.blocks import PrefectError, prefect_errors
    from prefect_staticadslab.cli.runner import COMPLETED, REFUSED
    from prefect_staticadslab.cli.temporary_server import closed_temporary_server

    with closed_temporary_server():
        try:
            with prefect_errors():
                served = deployments(given.block)
        except PrefectError as error:
            say(str(error), is_error=True)
            return REFUSED
        serve(*served)
    return COMPLETED


def deployments(block: str = DEFAULT_BLOCK) -> list[RunnerDeployment]:
    """The deployments in the `prefect.yaml` of this package, as Prefect serves them.

    They run in the folder that this process is in: relative paths are there.

    Args:
        block: The name of the saved credentials block that the flows are given. Prefect's server is
            asked for it; if it is not saved yet, that is printed.
    """
    from ruamel.yaml import YAML

    from prefect_staticadslab.credentials import StaticAdsLabCredentials
    from prefect_staticadslab.orchestration.deployment_steps import find_block

    written = YAML(typ="safe").load(deployments_file())
    saved = find_block(f"{StaticAdsLabCredentials.get_block_type_slug()}/{block}")
    return [_deployment(entry, saved["reference"]) for entry in written["deployments"]]


def _deployment(entry: dict[str, Any], credentials: dict[str, Any]) -> RunnerDeployment:
    """The deployment that an entry of the `prefect.yaml` describes.

    Args:
        entry: The entry. Its flow is imported.
        credentials: A reference to the block that its parameter `credentials`, if it has one, gets.
    """
    from prefect.client.schemas.objects import ConcurrencyLimitConfig
    from prefect.deployments.runner import RunnerDeployment
    from prefect.flows import load_flow_from_entrypoint
    from prefect.schedules import Schedule
    from prefect.types.entrypoint import EntrypointType

    parameters = dict(entry.get("parameters", {}))
    if "credentials" in parameters:
        parameters["credentials"] = credentials
    limit = entry.get("concurrency_limit")
    made = load_flow_from_entrypoint(entry["entrypoint"]).to_deployment(
        name=entry["name"],
        description=entry["description"],
        tags=entry["tags"],
        parameters=parameters,
        triggers=entry.get("triggers"),
        schedules=[Schedule(**written) for written in entry.get("schedules", [])],
        concurrency_limit=ConcurrencyLimitConfig(**limit) if limit else None,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(made, RunnerDeployment)  # noqa: S101
    return made


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program_name("serve"),
        description="Serves every flow from this process until it is interrupted: no work pool, no "
        "worker. PREFECT_API_URL says where the Prefect server is. Relative paths are those of "
        "this folder.",
    )
    parser.add_argument("--block", default=DEFAULT_BLOCK, help="credentials block (%(default)s)")
    return parser
