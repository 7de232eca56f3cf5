"""What an interrupted run may have sent is found again after its keys have expired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_staticadslab import ImageAd, JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.api.connection import hash_api_key
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.preflight import KeyRefusedError
from prefect_staticadslab.campaign.pipeline.adoption import NEVER_CREATED, SentRow, match_ads
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import MakeRequest, run_campaign, write_campaign
from tests.support.scripted import answer, scripted

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)
YESTERDAY = NOW - timedelta(hours=25)
A_DAY_AND_MORE = timedelta(hours=25)

AdOf = Callable[..., ImageAd]

# Deciding, without an API


@pytest.fixture
def ad_of(make_request: MakeRequest) -> AdOf:
    def make(name: str, shown_prompt: str, **fields: object) -> ImageAd:
        shown = make_request(shown_prompt).model_dump(exclude={"options", "node_overrides"})
        given = {"status": "completed", "image_url": "https://cdn/1.png", "created_at": YESTERDAY}
        return ImageAd.model_validate({**shown, **given, "id": name, **fields})

    return make


def sent(make_request: MakeRequest, *prompts: str) -> list[SentRow]:
    return [SentRow(i, make_request(prompt), YESTERDAY) for i, prompt in enumerate(prompts)]


def test_each_row_gets_its_own_ad(ad_of: AdOf, make_request: MakeRequest) -> None:
    rows = sent(make_request, "a", "b", "c")
    matches = match_ads(rows, [ad_of("ia_b", "b"), ad_of("ia_a", "a")], frozenset())
    assert {p: ad.id for p, ad in matches.adopted.items()} == {0: "ia_a", 1: "ia_b"}
    assert matches.not_found == [2]
    assert matches.ambiguous == {}


def test_equal_rows_share_equal_ads_among_them(ad_of: AdOf, make_request: MakeRequest) -> None:
    rows = sent(make_request, "a", "a", "a")
    matches = match_ads(rows, [ad_of("ia_1", "a"), ad_of("ia_2", "a")], frozenset())
    assert sorted(ad.id for ad in matches.adopted.values()) == ["ia_1", "ia_2"]
    assert len(matches.not_found) == 1


@pytest.mark.parametrize(
    ("sent_at", "created_at", "found"),
    [
        ([0, -72], [-72], {1: 0}),
        ([-72, 0], [-72], {0: 0}),
        ([0, -72], [0, -72], {0: 0, 1: 1}),
        ([-72, 0], [0, -72], {0: 1, 1: 0}),
        ([None, 0], [-72, 0], {0: 0, 1: 1}),
        ([None, 0], [0], {1: 0}),
        ([1, 0], [1, 3], {0: 1, 1: 0}),
        ([-72, 0], [-72, -72], {}),
    ],
    ids=str,
)
def test_equal_rows_get_ads_of_their_own_time_or_are_a_question(
    ad_of: AdOf,
    make_request: MakeRequest,
    sent_at: list[int | None],
    created_at: list[int],
    found: dict[int, int],
) -> None:
    """Times are hours after YESTERDAY; found are the ads, by row."""
    times = [None if h is None else YESTERDAY + timedelta(hours=h) for h in sent_at]
    long_ago = YESTERDAY - timedelta(days=9)
    rows = [SentRow(i, make_request("a"), at, at or long_ago) for i, at in enumerate(times)]
    created = [YESTERDAY + timedelta(hours=h) for h in created_at]
    ads = [ad_of(f"ia_{n}", "a", created_at=at) for n, at in enumerate(created)]
    matches = match_ads(rows, ads, frozenset())
    assert {p: ads.index(ad) for p, ad in matches.adopted.items()} == found
    assert matches.ambiguous.keys() == (set() if found else {0, 1})
    assert len(found) + len(matches.not_found) + len(matches.ambiguous) == len(rows)


def test_more_ads_than_rows_are_a_question(ad_of: AdOf, make_request: MakeRequest) -> None:
    ads = [ad_of("ia_1", "a"), ad_of("ia_2", "a")]
    matches = match_ads(sent(make_request, "a"), ads, frozenset())
    assert matches.ambiguous == {0: ("ia_1", "ia_2")}
    assert match_ads(sent(make_request, "a"), ads, frozenset({"ia_2"})).adopted[0].id == "ia_1"


def test_rows_that_differ_in_what_no_ad_shows_are_a_question(
    ad_of: AdOf, make_request: MakeRequest
) -> None:
    overrides = [{"n": {"characters": text}} for text in ("Hi", "Ho")]
    rows = [
        SentRow(i, make_request("a", node_overrides=o), YESTERDAY) for i, o in enumerate(overrides)
    ]
    assert match_ads(rows, [ad_of("ia_1", "a")], frozenset()).ambiguous == {
        0: ("ia_1",),
        1: ("ia_1",),
    }
    assert match_ads(rows, [], frozenset()).not_found == [0, 1]


@pytest.mark.parametrize("untold", ["audience_id", "product_id", "brand_id", "design_template_id"])
def test_an_ad_that_leaves_out_what_rows_differ_in_is_a_question(
    ad_of: AdOf, make_request: MakeRequest, untold: str
) -> None:
    ids = (f"{getattr(make_request('a'), untold)}{n}" for n in "12")
    rows = [SentRow(i, make_request("a", **{untold: one}), YESTERDAY) for i, one in enumerate(ids)]
    ads = [ad_of("ia_1", "a", **{untold: None})]
    matches = match_ads(rows, ads, frozenset())
    assert (matches.adopted, matches.not_found) == ({}, [])
    assert matches.ambiguous == {0: ("ia_1",), 1: ("ia_1",)}


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "b"},
        {"audience_id": "aud_other"},
        {"product_variant_id": "pv_other"},
        {"editable": True},
        {"status": "failed"},
        {"created_at": YESTERDAY - timedelta(hours=1)},
        {"created_at": YESTERDAY + timedelta(hours=3)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_is_not_the_rows_ad_is_not_adopted(
    ad_of: AdOf, make_request: MakeRequest, other: dict[str, object]
) -> None:
    matches = match_ads(sent(make_request, "a"), [ad_of("ia_1", "a", **other)], frozenset())
    assert matches.not_found == [0]


def test_clocks_may_differ_and_a_date_may_be_missing(
    ad_of: AdOf, make_request: MakeRequest
) -> None:
    for created in (YESTERDAY - timedelta(minutes=9), None, "once"):
        ad = ad_of("ia_1", "a", created_at=created)
        assert match_ads(sent(make_request, "a"), [ad], frozenset()).adopted[0].id == "ia_1"


def test_a_prompts_line_breaks_do_not_hide_its_ad(ad_of: AdOf, make_request: MakeRequest) -> None:
    matches = match_ads(sent(make_request, "a\nb"), [ad_of("ia_1", " a\r\nb ")], frozenset())
    assert matches.adopted[0].id == "ia_1"


# From a killed run to the bill, against a simulator whose keys age


@pytest.fixture
def output(tmp_path: Path) -> str:
    return str(tmp_path / "out.csv")


async def leave_submitting(
    spreadsheet: str,
    output: str,
    simulator: SimulatorServer,
    *,
    created: int,
    api_key: str = SIMULATOR_API_KEY,
) -> None:
    """A run that marked all of its rows, sent some, and was killed before any answer."""
    campaign = Campaign.open(spreadsheet, output)
    (chunk,) = campaign.chunks()
    async with StaticAdsLabClient(api_key, simulator.url) as client:
        for plan in chunk.jobs[:created]:
            row = campaign.table.rows[plan.position]
            await client.create_image_ad(row.request, idempotency_key=plan.key(1))
    for plan in chunk.jobs:
        mark = JobState(
            RowStatus.SUBMITTING,
            attempts=1,
            submitted_at=datetime.now(UTC),
            idempotency_key=plan.key(1),
            api_key_hash=hash_api_key(api_key),
            asked_at=datetime.now(UTC),
        )
        campaign.table.update(plan.position, mark)
    campaign.table.save_now()


def aged(state: JobState) -> JobState:
    assert state.submitted_at
    asked_at = state.asked_at and state.asked_at - A_DAY_AND_MORE
    return replace(state, submitted_at=state.submitted_at - A_DAY_AND_MORE, asked_at=asked_at)


def let_a_day_pass(spreadsheet: str, output: str, simulator: SimulatorServer) -> None:
    simulator.api.age(A_DAY_AND_MORE.total_seconds())
    table = Campaign.open(spreadsheet, output).table
    for position, state in enumerate(table.states):
        if state.submitted_at:
            table.states[position] = aged(state)
    table.save_now()


def states(campaign: Campaign) -> list[str]:
    return [str(state.status) for state in campaign.table.states]


async def test_after_a_day_what_was_created_is_adopted_and_only_the_rest_is_created(
    tmp_path: Path, output: str, simulator: SimulatorServer
) -> None:
    spreadsheet = write_campaign(tmp_path, "a", "b", "b", "c")
    await leave_submitting(spreadsheet, output, simulator, created=3)
    let_a_day_pass(spreadsheet, output, simulator)
    campaign, _ = await run_campaign(spreadsheet, output, simulator.url)
    assert states(campaign) == ["completed"] * 4
    assert (campaign.adoption.looked_for, campaign.adoption.found) == (4, 3)
    assert {s.job_id for s in campaign.table.states} == set(simulator.api.jobs)
    assert len(simulator.api.jobs) == 4


async def test_within_the_day_the_keys_are_asked_and_not_the_lists(
    tmp_path: Path, output: str, simulator: SimulatorServer
) -> None:
    spreadsheet = write_campaign(tmp_path, "a", "b")
    await leave_submitting(spreadsheet, output, simulator, created=2)
    campaign, results = await run_campaign(spreadsheet, output, simulator.url)
    assert campaign.adoption.looked_for == 0
    assert [r.replayed for r in results] == [True, True]
    assert len(simulator.api.jobs) == 2


async def test_what_is_ambiguous_is_told_not_paid_for_and_settled_in_the_table(
    tmp_path: Path, output: str, simulator: SimulatorServer
) -> None:
    spreadsheet = write_campaign(tmp_path, "a")
    await leave_submitting(spreadsheet, output, simulator, created=1)
    other = str(tmp_path / "other.csv")
    await leave_submitting(spreadsheet, other, simulator, created=1)
    let_a_day_pass(spreadsheet, output, simulator)
    for _ in range(2):
        campaign, _ = await run_campaign(spreadsheet, output, simulator.url)
        assert states(campaign) == ["submitting"]
        assert len(simulator.api.jobs) == 2
        error = campaign.table.states[0].error or ""
        assert all(image_ad_id in error for image_ad_id in simulator.api.jobs)
        assert error.count("nobody can say") == 1

    chosen = next(iter(simulator.api.jobs))
    text = Path(output).read_text().replace(",submitting,,", f",processing,{chosen},")
    Path(output).write_text(text)
    campaign, _ = await run_campaign(spreadsheet, output, simulator.url)
    assert states(campaign) == ["completed"]
    assert campaign.table.states[0].job_id == chosen
    assert len(simulator.api.jobs) == 2


async def test_a_row_whose_equal_was_just_sent_waits_until_that_is_answered(
    tmp_path: Path, output: str, simulator: SimulatorServer
) -> None:
    spreadsheet = write_campaign(tmp_path, "a", "a")
    await leave_submitting(spreadsheet, output, simulator, created=2)
    table = Campaign.open(spreadsheet, output).table
    table.states[1] = aged(table.states[1])
    table.save_now()
    campaign, _ = await run_campaign(spreadsheet, output, simulator.url)
    assert states(campaign) == ["completed", "submitting"]
    assert "equal row" in (campaign.table.states[1].error or "")
    assert len(simulator.api.jobs) == 2


async def test_a_row_that_is_gone_is_looked_for_and_never_created(
    tmp_path: Path, output: str, simulator: SimulatorServer
) -> None:
    spreadsheet = write_campaign(tmp_path, "a", "b", "c")
    await leave_submitting(spreadsheet, output, simulator, created=2)
    let_a_day_pass(spreadsheet, output, simulator)
    campaign, _ = await run_campaign(write_campaign(tmp_path, "a"), output, simulator.url)
    assert states(campaign) == ["completed", "completed", "failed"]
    assert [row.removed for row in campaign.table.rows] == [False, True, True]
    assert NEVER_CREATED in (campaign.table.states[2].error or "")
    assert len(simulator.api.jobs) == 2


async def test_if_nobody_can_be_asked_nothing_is_created(
    tmp_path: Path, output: str, simulator: SimulatorServer
) -> None:
    spreadsheet = write_campaign(tmp_path, "a")
    await leave_submitting(spreadsheet, output, simulator, created=1)
    let_a_day_pass(spreadsheet, output, simulator)
    simulator.api.scopes.clear()
    with pytest.raises(KeyRefusedError, match="may have been sent"):
        await run_campaign(spreadsheet, output, simulator.url)
    assert len(simulator.api.jobs) == 1


async def test_a_table_that_was_moved_creates_nothing_twice(
    tmp_path: Path, output: str, simulator: SimulatorServer
) -> None:
    spreadsheet = write_campaign(tmp_path, "a", "b")
    await leave_submitting(spreadsheet, output, simulator, created=2)
    moved = Path(output).rename(tmp_path / "moved.csv")
    campaign, _ = await run_campaign(spreadsheet, str(moved), simulator.url)
    assert states(campaign) == ["completed"] * 2
    assert len(simulator.api.jobs) == 2


@pytest.mark.parametrize(
    ("other", "found", "told"),
    [
        ("b", ["completed", "submitting"], "may still be created"),
        # That run's answer may give one row the very ad that this run would give the other.
        ("a", ["submitting", "submitting"], "An equal row was sent by another run"),
    ],
)
async def test_what_another_api_key_has_sent_is_looked_for_and_else_waited_for(
    tmp_path: Path, output: str, simulator: SimulatorServer, other: str, found: list[str], told: str
) -> None:
    """An API keeps idempotency keys for one API key: this one's would create the ad again."""
    simulator.api.scopes["sal_live_rotated"] = simulator.api.scopes[SIMULATOR_API_KEY]
    spreadsheet = write_campaign(tmp_path, "a", other)
    await leave_submitting(spreadsheet, output, simulator, created=1, api_key="sal_live_rotated")
    campaign, _ = await run_campaign(spreadsheet, output, simulator.url)
    assert states(campaign) == found
    assert told in (campaign.table.states[1].error or "")
    assert len(simulator.api.jobs) == 1

    let_a_day_pass(spreadsheet, output, simulator)
    campaign, _ = await run_campaign(spreadsheet, output, simulator.url)
    assert states(campaign) == ["completed", "completed"]
    assert {state.job_id for state in campaign.table.states} == set(simulator.api.jobs)
    assert len(simulator.api.jobs) == 2


@pytest.mark.parametrize("nonsense", [None, {"items": []}, [{"id": 7, "status": []}, "what"]])
async def test_a_list_that_is_none_does_not_prove_that_there_is_no_ad(
    tmp_path: Path, output: str, simulator: SimulatorServer, nonsense: object
) -> None:
    spreadsheet = write_campaign(tmp_path, "a")
    await leave_submitting(spreadsheet, output, simulator, created=1)
    let_a_day_pass(spreadsheet, output, simulator)
    async with scripted([answer({"data": nonsense})]) as server:
        with pytest.raises(KeyRefusedError, match="could not be asked"):
            await run_campaign(spreadsheet, output, server.url)
    assert {r.method for r in server.received} == {"GET"}
