"""What the tests of saved blocks share: the command that saves, and what the server then has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab.cli.commands.blocks import main as save_command
from prefect_staticadslab.simulator import SIMULATOR_API_KEY
from tests.support.prefect_api import ask_prefect

Environment = dict[str, str]
Capture = pytest.CaptureFixture[str]

SLUGS = ["static-ads-lab-credentials", "static-ads-lab-image-ad-job"]


def documents(environment: Environment) -> dict[str, Any]:
    """All saved blocks of ours by name, as the server tells them."""
    wanted = {"block_types": {"slug": {"any_": SLUGS}}, "include_secrets": True}
    url = environment["PREFECT_API_URL"]
    found = ask_prefect(url, "POST", "/block_documents/filter", wanted)
    return {each["name"]: each for each in found}


def forget(environment: Environment) -> None:
    for each in documents(environment).values():
        ask_prefect(environment["PREFECT_API_URL"], "DELETE", f"/block_documents/{each['id']}")


def save(capsys: Capture, *arguments: str | Path) -> tuple[int, str]:
    """Runs the command. Returns its status and all that it told."""
    status = save_command([*map(str, arguments)])
    told = capsys.readouterr()
    assert SIMULATOR_API_KEY not in told.out + told.err
    return status, told.out + told.err
