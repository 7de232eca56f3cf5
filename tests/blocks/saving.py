"""What the tests of saved blocks share: the command that saves, and what the server then has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_staticadslab.cli.commands.blocks import main as save_command
from prefect_staticadslab.simulator import SIMULATOR_API_KEY

Environment = dict[str, str]
Capture = pytest.CaptureFixture[str]

SLUGS = ["static-ads-lab-credentials", "static-ads-lab-image-ad-job"]


def documents(environment: Environment) -> dict[str, Any]:
    """All saved blocks of ours by name, as the server tells them."""
    url = f"{environment['PREFECT_API_URL']}/block_documents/filter"
    wanted = {"block_types": {"slug": {"any_": SLUGS}}, "include_secrets": True}
    return {each["name"]: each for each in httpx.post(url, json=wanted).json()}


def forget(environment: Environment) -> None:
    for each in documents(environment).values():
        httpx.delete(f"{environment['PREFECT_API_URL']}/block_documents/{each['id']}")


def save(capsys: Capture, *arguments: str | Path) -> tuple[int, str]:
    """Runs the command. Returns its status and all that it told."""
    status = save_command([*map(str, arguments)])
    told = capsys.readouterr()
    assert SIMULATOR_API_KEY not in told.out + told.err
    return status, told.out + told.err
