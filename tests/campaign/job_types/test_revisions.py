"""Revisions: what a table of changes says, and which of them are sent when."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab import ImageAd, ImageAdRequest, StaticAdsLabClient
from prefect_staticadslab.api.models import ImageAdVersion
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.job_types.json_trees import apply_patch, nodes
from prefect_staticadslab.campaign.job_types.revision_decisions import RENDERING, UNCLEAR
from prefect_staticadslab.campaign.job_types.revisions import Revisions, version_of_picture
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.job_outcome import BUSY
from prefect_staticadslab.campaign.pipeline.session import shared_session
from prefect_staticadslab.campaign.pipeline.submit import send
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import MakeRequest, run_batch


def write(folder: Path, *rows: tuple[str, str, Any]) -> str:
    """Writes a table of changes: image_ad_id, column, value."""
    import csv

    columns = ["image_ad_id", "json_patch", "node_overrides", "current_json_tree", "note"]
    with (folder / "changes.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for ad, column, value in rows:
            text = value if isinstance(value, str) else json.dumps(value)
            writer.writerow({"image_ad_id": ad, column: text, "note": "mine"})
    return str(folder / "changes.csv")


async def finished(client: StaticAdsLabClient, request: ImageAdRequest) -> ImageAd:
    async with shared_session(SIMULATOR_API_KEY, client.base_url) as session:
        ad = (await client.create_image_ad(request)).image_ad
        done: ImageAd = await session.poller_of(request).wait_until_finished(ad.id, 60)
        return done


async def run(client: StaticAdsLabClient, spreadsheet: str, output: Path) -> Revisions:
    """What the flow does, without Prefect."""
    revisions = Revisions.open(spreadsheet, str(output))
    await run_batch(revisions, client.base_url, attempts=1, preflight=True)
    return revisions


def texts(ad: ImageAd) -> list[str]:
    return [str(n["characters"]) for n in nodes(ad.current_json_tree or {}) if "characters" in n]


def first_text(ad: ImageAd) -> tuple[str, str]:
    """The id of an ad's first text, and the way to it."""
    tree = ad.current_json_tree or {}
    for place, child in enumerate(tree["children"]):
        if child["type"] == "TEXT":
            return child["id"], f"/children/{place}/characters"
    raise AssertionError("no text in the tree")


# What a table says


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("dt_1", "json_patch", "[]"), "Row 2, column image_ad_id: 'dt_1' is not the id"),
        (("", "json_patch", "[]"), "Row 2, column image_ad_id: is empty."),
        (("ia_1", "json_patch", ""), "Row 2: has no change. Fill one of current_json_tree"),
        (("ia_1", "json_patch", "[{]"), "Row 2, column json_patch: is no JSON"),
        (
            (
                "ia_1",
                "json_patch",
                '[{"op": "add", "path": "/x", "value": ' + "[" * 400 + "]" * 400 + "}]",
            ),
            "Row 2, column json_patch: is no JSON that can be sent: it is nested more than 100",
        ),
        (
            ("ia_1", "node_overrides", '{"2": {"characters": "\\ud800"}}'),
            "Row 2, column node_overrides: is no JSON: it holds half of a character",
        ),
        (("ia_1", "json_patch", "[1]"), "Row 2, column json_patch: is no JSON patch"),
        (("ia_1", "node_overrides", "{}"), "Row 2, column node_overrides: is no JSON object"),
        (("ia_1", "current_json_tree", "[]"), "Row 2, column current_json_tree: is no JSON object"),
    ],
)
def test_a_wrong_row_is_told(row: tuple[str, str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(SpreadsheetError) as refused:
        Revisions.open(write(tmp_path, row), str(tmp_path / "out.csv"))
    assert str(refused.value).startswith(said)


def test_a_row_has_one_change(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(
        'image_ad_id,json_patch,node_overrides\nia_1,"[]","{}"\n', encoding="utf-8"
    )
    with pytest.raises(SpreadsheetError, match="has json_patch and node_overrides; it must"):
        Revisions.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))


def test_a_version_is_found_by_its_picture_or_else_by_its_date() -> None:
    def version(number: int, **fields: object) -> ImageAdVersion:
        return ImageAdVersion.model_validate({"id": f"iav_{number}", **fields})

    old, new = (version(n, created_at=f"2026-01-0{n}T00:00:00Z") for n in (1, 2))
    shown = version(3, image_url="https://cdn/3.png")
    assert version_of_picture([old, shown, new], "https://cdn/3.png") == shown
    assert version_of_picture([new, old], "https://cdn/4.png") == new
    assert version_of_picture([version(9)], "https://cdn/4.png") is None
    both = [version(n, image_url="https://cdn/5.png", version=n) for n in (1, 2)]
    assert version_of_picture(both, "https://cdn/5.png?signed=now") == both[1]


# Against the simulator


async def test_each_kind_of_change_makes_a_new_version(
    client: StaticAdsLabClient, make_request: MakeRequest, tmp_path: Path
) -> None:
    ads = [await finished(client, make_request(str(n), editable=True)) for n in range(3)]
    node, place = first_text(ads[0])
    whole = {**(ads[2].current_json_tree or {})}
    whole["children"] = [
        {**c, "characters": "Whole"} if "characters" in c else c for c in whole["children"]
    ]
    spreadsheet = write(
        tmp_path,
        (ads[0].id, "json_patch", [{"op": "replace", "path": place, "value": "Patched"}]),
        (ads[1].id, "node_overrides", {node: {"characters": "Overridden"}}),
        (ads[2].id, "current_json_tree", whole),
    )
    revisions = await run(client, spreadsheet, tmp_path / "out.csv")
    assert [s.status for s in revisions.table.states] == [RowStatus.COMPLETED] * 3
    for before, state, text in zip(
        ads, revisions.table.states, ("Patched", "Overridden", "Whole"), strict=True
    ):
        after = await client.get_image_ad(before.id)
        assert text in texts(after)
        assert state.image_url == after.image_url != before.image_url
        assert state.facts["previous_image_url"] == before.image_url
        version = await client.get_image_ad_version(before.id, state.facts["image_ad_version_id"])
        assert version.image_url == after.image_url
    written = (tmp_path / "out.csv").read_text()
    assert written.splitlines()[0].startswith(
        "image_ad_id,json_patch,node_overrides,current_json_tree,note,status,image_url,previous_"
    )


async def test_two_changes_of_one_ad_are_made_one_after_the_other(
    client: StaticAdsLabClient,
    simulator: SimulatorServer,
    make_request: MakeRequest,
    tmp_path: Path,
) -> None:
    ad = await finished(client, make_request("x", editable=True))
    _, place = first_text(ad)
    steps = [
        [{"op": "replace", "path": place, "value": "One"}],
        # Fits only what the first one has made.
        [
            {"op": "test", "path": place, "value": "One"},
            {"op": "replace", "path": place, "value": "Two"},
        ],
    ]
    spreadsheet = write(tmp_path, *((ad.id, "json_patch", step) for step in steps))
    revisions = await run(client, spreadsheet, tmp_path / "out.csv")
    one, two = revisions.table.states
    assert one.status == two.status == RowStatus.COMPLETED
    assert two.facts["previous_image_url"] == one.image_url
    assert "Two" in texts(await client.get_image_ad(ad.id))
    versions = [v async for v in client.list_image_ad_versions(ad.id)]
    assert len(versions) == 3


async def test_flat_unknown_and_unfit_ads_are_told_before_anything_is_sent(
    client: StaticAdsLabClient, make_request: MakeRequest, tmp_path: Path
) -> None:
    flat = await finished(client, make_request("x"))
    editable = await finished(client, make_request("x", editable=True))
    patch = [{"op": "remove", "path": "/children/99"}]
    spreadsheet = write(
        tmp_path,
        (flat.id, "json_patch", patch),
        ("ia_unknown", "json_patch", patch),
        (editable.id, "json_patch", patch),
    )
    with pytest.raises(SpreadsheetError) as refused:
        await run(client, spreadsheet, tmp_path / "out.csv")
    first, second, third = str(refused.value).splitlines()
    assert first.startswith(f"Row 2, column image_ad_id: {flat.id} is a flat ad")
    assert second.startswith("Row 3, column image_ad_id: There is no such image ad")
    assert third.startswith("Row 4, column json_patch: does not fit the ad's tree")
    assert (await client.get_image_ad(editable.id)).image_url == editable.image_url


async def test_a_second_run_revises_nothing_again(
    client: StaticAdsLabClient,
    simulator: SimulatorServer,
    make_request: MakeRequest,
    tmp_path: Path,
) -> None:
    ad = await finished(client, make_request("x", editable=True))
    # Not the same tree again, if it were applied twice.
    change = [{"op": "add", "path": "/children/0", "value": {"id": "new", "type": "EFFECT"}}]
    spreadsheet = write(tmp_path, (ad.id, "json_patch", change))
    first = await run(client, spreadsheet, tmp_path / "out.csv")
    again = await run(client, spreadsheet, tmp_path / "out.csv")
    ended = [run.table.states[0].cells(run.table.job_type.columns) for run in (first, again)]
    assert ended[0] == ended[1]
    tree = (await client.get_image_ad(ad.id)).current_json_tree or {}
    assert [n["id"] for n in nodes(tree)].count("new") == 1


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("is_finished", [True, False])
async def test_a_run_that_was_killed_after_sending_changes_the_ad_once(
    arrived: bool,
    is_finished: bool,
    client: StaticAdsLabClient,
    make_request: MakeRequest,
    tmp_path: Path,
) -> None:
    ad = await finished(client, make_request("x", editable=True))
    change = [{"op": "add", "path": "/children/0", "value": {"id": "new", "type": "EFFECT"}}]
    spreadsheet = write(tmp_path, (ad.id, "json_patch", change))
    killed = Revisions.open(spreadsheet, str(tmp_path / "out.csv"))
    (plan,) = await killed.next_round(client)
    async with shared_session(SIMULATOR_API_KEY, client.base_url) as session:
        under_way = Attempt(plan)
        under_way.mark(client.now(), client.api_key_hash)
        await killed.table.before_send({0: under_way.state})
        if arrived:
            await send(
                client,
                plan.request,
                idempotency_key=under_way.idempotency_key,
                on_send=lambda: None,
            )
            if is_finished:
                await session.poller_of(plan.request).wait_until_finished(ad.id, 60)
    revisions = await run(client, spreadsheet, tmp_path / "out.csv")
    (state,) = revisions.table.states
    assert state.status is RowStatus.COMPLETED
    after = await client.get_image_ad(ad.id)
    assert state.image_url == after.image_url != ad.image_url
    assert [n["id"] for n in nodes(after.current_json_tree or {})].count("new") == 1
    assert len([v async for v in client.list_image_ad_versions(ad.id)]) == 2


async def test_a_rendering_that_failed_is_repeated_with_the_same_tree(
    client: StaticAdsLabClient, make_request: MakeRequest, tmp_path: Path
) -> None:
    ad = await finished(client, make_request("x", editable=True))
    _, place = first_text(ad)
    before, after = place.rsplit("/", 2)[:2], place.rsplit("/", 1)[1]
    place = f"{before[0]}/{int(before[1]) + 1}/{after}"
    failing = [
        {"op": "add", "path": "/children/0", "value": {"id": "new", "type": "EFFECT"}},
        {"op": "replace", "path": place, "value": "SIMULATE_FAILURE"},
    ]
    spreadsheet = write(
        tmp_path,
        (ad.id, "json_patch", failing),
        (ad.id, "json_patch", [{"op": "remove", "path": "/children/0"}]),
    )
    for attempts in (1, 2):
        revisions = await run(client, spreadsheet, tmp_path / "out.csv")
        failed, waiting = revisions.table.states
        assert (failed.status, failed.attempts) == (RowStatus.FAILED, attempts)
        assert waiting.status is RowStatus.PENDING
        assert waiting.error == "Row 2, of the same ad, comes first."
    tree = (await client.get_image_ad(ad.id)).current_json_tree or {}
    assert [n["id"] for n in nodes(tree)].count("new") == 1


async def test_what_somebody_else_changed_in_between_is_left_to_people(
    client: StaticAdsLabClient, make_request: MakeRequest, tmp_path: Path
) -> None:
    ad = await finished(client, make_request("x", editable=True))
    _, place = first_text(ad)
    ours = [{"op": "replace", "path": place, "value": "Ours"}]
    spreadsheet = write(tmp_path, (ad.id, "json_patch", ours))
    killed = Revisions.open(spreadsheet, str(tmp_path / "out.csv"))
    (plan,) = await killed.next_round(client)
    under_way = Attempt(plan)
    under_way.mark(client.now(), client.api_key_hash)
    await killed.table.before_send({0: under_way.state})
    theirs = apply_patch(ad.current_json_tree or {}, [{**ours[0], "value": "Theirs"}])
    await client.update_image_ad(ad.id, theirs)
    (state,) = (await run(client, spreadsheet, tmp_path / "out.csv")).table.states
    assert (state.status, state.error) == (RowStatus.SUBMITTING, RENDERING)
    await waited(client, ad.id)
    (state,) = (await run(client, spreadsheet, tmp_path / "out.csv")).table.states
    assert (state.status, state.error) == (RowStatus.SUBMITTING, UNCLEAR)
    text = (tmp_path / "out.csv").read_text().replace(",submitting,", ",pending,")
    (tmp_path / "out.csv").write_text(text)
    (state,) = (await run(client, spreadsheet, tmp_path / "out.csv")).table.states
    assert state.status is RowStatus.COMPLETED
    assert "Ours" in texts(await client.get_image_ad(ad.id))


async def test_runs_that_know_nothing_of_each_other_overwrite_nothing(
    client: StaticAdsLabClient, make_request: MakeRequest, tmp_path: Path
) -> None:
    ad = await finished(client, make_request("x", editable=True))
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        change = [{"op": "add", "path": "/children/0", "value": {"id": name, "type": "EFFECT"}}]
        runs.append(
            run(
                client,
                write(tmp_path / name, (ad.id, "json_patch", change)),
                tmp_path / f"{name}.csv",
            )
        )
    first, second = await asyncio.gather(*runs)
    states = [first.table.states[0], second.table.states[0]]
    assert sorted(str(s.status) for s in states) == ["completed", "pending"]
    assert BUSY in {s.error for s in states}
    for name in ("one", "two"):
        spreadsheet = str(tmp_path / name / "changes.csv")
        await run(client, spreadsheet, tmp_path / f"{name}.csv")
    tree = (await client.get_image_ad(ad.id)).current_json_tree or {}
    assert {"one", "two"} <= {n["id"] for n in nodes(tree)}


async def waited(client: StaticAdsLabClient, image_ad_id: str) -> None:
    while not (await client.get_image_ad(image_ad_id)).is_finished:
        await asyncio.sleep(0.1)
