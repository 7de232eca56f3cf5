"""The command: the pictures of an earlier result table."""

from __future__ import annotations

import argparse
import asyncio
from typing import Final

from prefect_staticadslab.api.connection import API_KEY_VARIABLE
from prefect_staticadslab.cli.flow_options import add_flow_options, arguments_of, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.runner import run_command, run_flow
from prefect_staticadslab.flows.download import REFUSED, _credentials, _open, download_images

DOWNLOAD_IMAGES: Final = read_flow("download", "download_images")


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    given = _parser().parse_args(arguments)

    def run() -> int:
        # The flow checks the same; but here a mistake is told before Prefect starts a server.
        _open(given.table, given.folder, given.images_zip, given.name_pictures_by)
        if not given.credentials_block:
            asyncio.run(_credentials(""))
        arguments = arguments_of(given, DOWNLOAD_IMAGES)
        return run_flow(lambda: download_images(**arguments, return_state=True), refused=REFUSED)

    return run_command(
        lambda _: run(),
        interrupted="Interrupted. The same command goes on with the pictures that are not there.",
        refused=REFUSED,
    )


def _parser() -> argparse.ArgumentParser:
    parser = flow_parser(
        DOWNLOAD_IMAGES,
        more="Each gets a thumbnail, and nothing is created. "
        "The same command goes on where the last run stopped.",
        epilog="Exit status: 0 all pictures are there; 1 some are missing; 2 refused, for example "
        "because that is no result table; 130 interrupted. No key is needed; with "
        f"{API_KEY_VARIABLE} or --credentials, the API is asked for pictures that are no longer "
        "at their URL.",
    )
    add_flow_options(parser, DOWNLOAD_IMAGES, names={"credentials_block": "--credentials"})
    return parser
