"""Tables of the real API and of a simulator are not mixed, whatever jobs they are of."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.api.connection import hash_api_key
from prefect_staticadslab.campaign.campaign import prepare
from prefect_staticadslab.campaign.job_types.design_templates import TemplateBatch
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.job_types.mixed_tables import (
    SIMULATOR_API_KEYS,
    check_not_real,
    check_not_simulated,
)
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.table.table_on_disk import OutputError
from prefect_staticadslab.cli.commands import design_templates, revise
from prefect_staticadslab.simulator.model.admission.api_keys import scopes_by_key
from tests.conftest import write_campaign

REAL, LOCAL = "https://api.staticadslab.com", "http://127.0.0.1:2"

Open = Callable[[Path], Batch[Any]]


def open_ads(folder: Path) -> Batch[Any]:
    return Campaign.open(write_campaign(folder, "a"), str(folder / "out.csv"))


def open_templates(folder: Path) -> Batch[Any]:
    content = io.BytesIO()
    Image.new("RGB", (80, 100)).save(content, "PNG")
    (folder / "references").mkdir(exist_ok=True)
    (folder / "references" / "a.png").write_bytes(content.getvalue())
    return TemplateBatch.open(str(folder / "references"), str(folder / "out.csv"))


def open_revisions(folder: Path) -> Batch[Any]:
    change = '"[{""op"": ""remove"", ""path"": ""/a""}]"'
    (folder / "in.csv").write_text(f"image_ad_id,json_patch\nia_1,{change}\n")
    return Revisions.open(str(folder / "in.csv"), str(folder / "out.csv"))


KINDS = pytest.mark.parametrize("open_batch", [open_ads, open_templates, open_revisions])


def sent(api_key: str, status: RowStatus = RowStatus.SUBMITTING) -> JobState:
    job_id = "ia_1" if status is RowStatus.PROCESSING else None
    return JobState(
        status,
        job_id,
        attempts=1,
        idempotency_key="ab" * 32,
        api_key_hash=hash_api_key(api_key),
    )


SIMULATED = [
    JobState(RowStatus.COMPLETED, "ia_1", "http://127.0.0.1:1/p.png"),
    *(sent(key) for key in SIMULATOR_API_KEYS),
    sent(SIMULATOR_API_KEYS[0], RowStatus.PROCESSING),
]
MADE = [
    JobState(RowStatus.COMPLETED, "ia_1", "https://cdn.example.com/p.png"),
    sent("sal_live_x"),
    sent("sal_live_x", RowStatus.PROCESSING),
]
NEITHER = [
    JobState(),
    JobState(RowStatus.FAILED, "ia_1", error="No."),
    replace(SIMULATED[1], api_key_hash=None),
]


def reopened(open_batch: Open, folder: Path, state: JobState) -> Batch[Any]:
    """The batch, with what an earlier run wrote of its row."""
    batch = open_batch(folder)
    batch.table.update(0, replace(state, facts=batch.table.states[0].facts))
    batch.table.save_now()
    return open_batch(folder)


def test_the_simulators_keys_are_known() -> None:
    writing = {
        key for key, scopes in scopes_by_key().items() if any(s.endswith(":write") for s in scopes)
    }
    assert set(SIMULATOR_API_KEYS) == writing


@KINDS
def test_each_table_is_used_where_it_was_made(open_batch: Open, tmp_path: Path) -> None:
    for states, is_simulated, is_real in (
        (SIMULATED, True, False),
        (MADE, False, True),
        (NEITHER, False, False),
    ):
        for state in states:
            table = reopened(open_batch, tmp_path, state).table
            check_not_simulated(table, LOCAL)
            if is_simulated:
                with pytest.raises(OutputError, match=r"out\.csv was made with a simulator"):
                    check_not_simulated(table, REAL)
            else:
                check_not_simulated(table, REAL)
            if is_real:
                with pytest.raises(OutputError, match=r"out\.csv was made with the real API"):
                    check_not_real(table)
            else:
                check_not_real(table)
            (tmp_path / "out.csv").unlink()


@KINDS
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_simulators_table_is_refused_before_the_real_api_is_asked(
    open_batch: Open, dry_run: bool, tmp_path: Path
) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500)

    batch = reopened(open_batch, tmp_path, SIMULATED[-1])
    async with StaticAdsLabClient(
        "sal_live_x", REAL, transport=httpx.MockTransport(answer)
    ) as client:
        with pytest.raises(OutputError, match="made with a simulator"):
            await prepare(batch, [client], dry_run=dry_run)
    assert asked == []


@pytest.mark.parametrize(
    ("main", "open_batch", "source"),
    [
        (design_templates.main, open_templates, "references"),
        (revise.main, open_revisions, "in.csv"),
    ],
)
def test_commands_do_not_simulate_with_a_real_table(
    main: Callable[[list[str]], int],
    open_batch: Open,
    source: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reopened(open_batch, tmp_path, MADE[-1])
    before = (tmp_path / "out.csv").read_bytes()
    assert main([str(tmp_path / source), str(tmp_path / "out.csv"), "--simulate"]) == 2
    assert "was made with the real API" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_bytes() == before
