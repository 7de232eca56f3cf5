"""Spreadsheets for an inbox, a run of its flow, and what a run leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from prefect.client.schemas.objects import State

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.flows.inbox import inbox
from tests.conftest import simulated_ids


def rows(*prompts: str) -> str:
    ids = simulated_ids()
    lines = [",".join([*ids, "prompt"]), *(",".join([*ids.values(), p]) for p in prompts)]
    return "\n".join(lines) + "\n"


async def run(
    folder: Path | str, credentials: StaticAdsLabCredentials, **options: Any
) -> State[None]:
    given = {"settle_seconds": 0, **options}
    state: Any = await inbox(str(folder), credentials, return_state=True, **given)
    return cast(State[None], state)


def statuses(table: Path | str) -> list[str]:
    return list(read_spreadsheet(str(table)).frame["status"])


def names(folder: Path) -> set[str]:
    return {f.name for f in folder.iterdir()}
