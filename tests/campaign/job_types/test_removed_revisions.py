"""Revisions that were sent, and whose rows were then removed from the spreadsheet, or edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from prefect_staticadslab import ImageAd, JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.api.models import Account
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.rows.json_cells import tree_fingerprint

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)


def tree(text: str) -> dict[str, Any]:
    node = {"id": "2", "type": "TEXT", "characters": text}
    return {"id": "1", "type": "FRAME", "children": [node]}


class Shown:
    """An API that shows every ad with this text, in this status."""

    def __init__(self, text: str, status: str = "completed") -> None:
        self.text, self.status = text, status

    def now(self) -> datetime:
        return NOW

    async def get_image_ads(self, ids: Sequence[str]) -> list[ImageAd]:
        known = {
            "editable": True,
            "status": self.status,
            "current_json_tree": tree(self.text),
            "image_url": "https://cdn/1.png" if self.status == "completed" else None,
            "completed_at": NOW if self.status == "completed" else None,
        }
        return [ImageAd.model_validate({"id": ad, **known}) for ad in ids]


SENT = JobState(
    RowStatus.SUBMITTING,
    attempts=1,
    submitted_at=NOW - timedelta(minutes=1),
    asked_at=NOW - timedelta(minutes=1),
    idempotency_key="ab" * 32,
    api_key_hash="cd" * 8,
    facts={
        "previous_tree": tree_fingerprint(tree("old")),
        "sent_tree": tree_fingerprint(tree("Sale")),
    },
)
RENDERING = replace(SENT, status=RowStatus.PROCESSING, job_id="ia_1", asked_at=None)


def write(folder: Path, *texts: str) -> str:
    lines = [f'ia_1,"{{""2"": {{""characters"": ""{text}""}}}}"' for text in texts]
    (folder / "in.csv").write_text("\n".join(["image_ad_id,node_overrides", *lines, ""]))
    return str(folder / "in.csv")


def reopened(folder: Path, state: JobState, *texts: str) -> Revisions:
    """The revisions of these texts, after one of "Sale" that has this state."""
    output = str(folder / "out.csv")
    before = Revisions.open(write(folder, "Sale", *texts), output)
    before.table.update(0, state)
    before.table.save_now()
    return Revisions.open(write(folder, *texts), output)


async def planned(revisions: Revisions, api: Shown) -> list[int]:
    """The positions of the rows that are planned next."""
    return [job.position for job in await revisions.next_round(cast("StaticAdsLabClient", api))]


async def test_one_that_is_rendering_is_followed_before_its_ads_next_row_is_sent(
    tmp_path: Path,
) -> None:
    revisions = reopened(tmp_path, RENDERING, "Sold")
    (followed,) = await revisions.next_round(cast("StaticAdsLabClient", Shown("Sale")))
    assert (followed.position, followed.state.is_processing) == (1, True)
    assert not followed.may_create  # also if its rendering fails
    revisions.table.update(1, replace(followed.state, status=RowStatus.COMPLETED))
    assert await planned(revisions, Shown("Sale")) == [0]


async def test_its_ads_next_row_waits_for_one_that_goes_on_rendering(tmp_path: Path) -> None:
    revisions = reopened(tmp_path, RENDERING, "Sold")
    rendering = Shown("Sale", "processing")
    assert await planned(revisions, rendering) == [1]
    assert await planned(revisions, rendering) == []
    assert revisions.table.states[0].error == "Row 3, of the same ad, comes first."


@pytest.mark.parametrize(
    ("shown", "status", "plans"),
    [
        (Shown("Sale"), RowStatus.COMPLETED, [0]),
        (Shown("Sale", "processing"), RowStatus.PROCESSING, [1]),
        # Nobody can say, and what is wanted now does not wait for it.
        (Shown("old"), RowStatus.SUBMITTING, [0]),
        (Shown("another"), RowStatus.SUBMITTING, [0]),
        (Shown("another", "processing"), RowStatus.SUBMITTING, []),
    ],
)
@pytest.mark.parametrize("age", [timedelta(), timedelta(days=1)])
async def test_one_without_an_answer_is_collected_if_it_has_arrived_and_never_sent(
    tmp_path: Path, shown: Shown, status: RowStatus, plans: list[int], age: timedelta
) -> None:
    sent = replace(SENT, asked_at=NOW - age, submitted_at=NOW - age)
    revisions = reopened(tmp_path, sent, "Sold")
    assert await planned(revisions, shown) == plans
    removed = revisions.table.states[1]
    assert removed.status is status
    assert (removed.error or "").startswith("This row is no longer in the spreadsheet")


async def test_what_was_made_before_a_create_was_withdrawn_need_not_fit_the_ad_again(
    tmp_path: Path,
) -> None:
    (tmp_path / "in.csv").write_text(
        'image_ad_id,json_patch\nia_1,"[{""op"": ""test"", ""path"": ""/children/0/characters"", '
        '""value"": ""old""}]"\n'
    )
    revisions = Revisions.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))
    client, account = cast("StaticAdsLabClient", Shown("Sale")), cast("Account", None)
    with pytest.raises(SpreadsheetError, match="does not fit the ad's tree"):
        await revisions.check(client, account)
    withdrawn = JobState(attempts=1, facts=SENT.facts)
    revisions.table.update(0, withdrawn)
    assert await revisions.check(client, account) == 0
