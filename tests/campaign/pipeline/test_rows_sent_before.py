"""Rows that an earlier run, or one at the same time, may have sent or has an ad for."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, PlannedJob, RowStatus
from prefect_staticadslab.api.models import ImageAd
from prefect_staticadslab.api.responses.api_clock import shared_clock
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pipeline.adoption import SentRow, match_ads
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.chunk_run import _ChunkRun, generate
from prefect_staticadslab.simulator import SimulatorServer
from prefect_staticadslab.simulator.model.chance import ONE_FAILURE_WORD
from tests.campaign.pipeline.test_adoption import leave_submitting, let_a_day_pass
from tests.campaign.pipeline.test_pipeline import Notes, planned, session_of
from tests.conftest import MakeRequest, run_campaign, sent_at, write_campaign


async def test_an_ad_that_was_created_is_only_followed(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    async with session_of(simulator.url) as session:
        ad = (await session.client.create_image_ad(make_request("a"))).image_ad
        known = JobState(RowStatus.PROCESSING, job_id=ad.id, attempts=1)
        (result,) = await generate(session, planned(make_request, "a", states={0: known}))
    assert (result.state.status, result.state.job_id) == (RowStatus.COMPLETED, ad.id)
    assert len(simulator.api.jobs) == 1


async def test_a_row_that_may_have_been_sent_is_sent_with_the_same_key(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    (plan,) = planned(make_request, "a")
    async with session_of(simulator.url) as session:
        lost = await session.client.create_image_ad(make_request("a"), idempotency_key=plan.key(1))
        submitting = {0: JobState(RowStatus.SUBMITTING, attempts=1)}
        (result,) = await generate(session, planned(make_request, "a", states=submitting))
    assert result.state.job_id == lost.image_ad.id
    assert result.state.attempts == 1


async def test_where_nothing_is_created_any_more_a_row_that_may_have_been_sent_stays_as_it_is(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    """The wallet was found to be empty before this chunk had its turn."""
    sent_before, notes = sent_at(datetime.now(UTC) - timedelta(minutes=5), "aa" * 8), Notes()
    plans = planned(make_request, "a", "b", states={0: sent_before})
    async with session_of(simulator.url) as session:
        session.stop_creating("The wallet is empty.")
        results = await generate(session, plans, journal=notes)
        assert session.creates_waiting == 0
    assert [result.state for result in results] == [sent_before, JobState()]
    assert results[1].stopped_by == "The wallet is empty."
    assert notes.sent == []
    assert len(simulator.api.jobs) == 0


async def test_what_turns_out_to_be_marked_hours_ago_is_marked_anew_and_sent(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    """A computer slept for hours; or its clock was hours slow until the API said how late it is."""
    shared_clock(simulator.url).ahead = timedelta(hours=-5)
    notes = Notes()
    async with session_of(simulator.url) as session:
        session.open_creates = asyncio.Semaphore(1)
        results = await generate(session, planned(make_request, "a", "b"), journal=notes)
    assert [result.state.status for result in results] == [RowStatus.COMPLETED] * 2
    assert notes.sent == [{0, 1}, {1}]
    first, anew, *_ = [state.asked_at for state in notes.states[1] if state.asked_at]
    assert timedelta(hours=4) < anew - first < timedelta(hours=6)
    assert len(simulator.api.jobs) == 2


async def test_a_job_that_failed_while_nobody_looked_was_an_attempt(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    """The run that began it may be asleep, and begins another one when it hears of that."""
    output = str(tmp_path / "out.csv")
    spreadsheet = write_campaign(tmp_path, ONE_FAILURE_WORD, "b", "c")
    await leave_submitting(spreadsheet, output, simulator, created=2)
    let_a_day_pass(spreadsheet, output, simulator)
    failed = next(iter(simulator.api.jobs))
    asleep = Campaign.open(spreadsheet, output).table
    asleep.update(0, JobState(RowStatus.PROCESSING, job_id=failed, attempts=1))
    campaign, _ = await run_campaign(spreadsheet, output, simulator.url)
    known = campaign.table.states
    assert [state.status for state in known] == [RowStatus.COMPLETED] * 3
    assert [state.attempts for state in known] == [2, 1, 1]
    assert (campaign.adoption.looked_for, campaign.adoption.found) == (3, 1)
    assert len(simulator.api.jobs) == 4
    mark = replace(sent_at(datetime.now(UTC), "ab" * 8), attempts=2)
    assert (await asleep.before_send({0: mark}))[0].job_id == known[0].job_id


@pytest.mark.parametrize(
    ("prompts", "ads", "tried"),
    [
        ("a", "A", {0}),
        ("aa", "A", {0, 1}),
        ("ab", "B", {1}),
        ("a", "Aa", set()),
        ("aa", "Aa", {1}),
        ("a", "B", set()),
    ],
)
def test_the_key_of_a_row_that_a_failed_ad_may_be_of_has_been_used(
    make_request: MakeRequest, prompts: str, ads: str, tried: set[int]
) -> None:
    """A capital is the failed ad of such a prompt."""
    now = datetime.now(UTC)
    rows = [SentRow(n, make_request(prompt), now) for n, prompt in enumerate(prompts)]
    made = []
    for n, ad in enumerate(ads):
        shown = make_request(ad.lower()).model_dump(exclude={"options", "node_overrides"})
        status = "failed" if ad.isupper() else "completed"
        told = {**shown, "id": f"ia_{n}", "created_at": now, "status": status}
        made.append(ImageAd.model_validate(told))
    assert match_ads(rows, made, frozenset()).tried == tried


async def test_a_row_that_failed_before_gets_a_new_attempt(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    failed = {0: JobState(RowStatus.FAILED, error="no", attempts=3)}
    async with session_of(simulator.url) as session:
        (result,) = await generate(session, planned(make_request, "a", states=failed))
    assert (result.state.status, result.state.attempts) == (RowStatus.COMPLETED, 4)


@pytest.mark.parametrize(
    ("marked_before", "waits"), [(5, 0.0), (24, 0.0), (26, 80.0), (3_600, 80.0), (3_700, 0.0)]
)
def test_what_another_run_may_have_sent_waits_until_the_api_has_done_with_it(
    make_request: MakeRequest, marked_before: float, waits: float
) -> None:
    now = datetime.now(UTC)
    marked = sent_at(now - timedelta(seconds=marked_before), "aa" * 8)
    attempt = Attempt(planned(make_request, "a", states={0: marked})[0])
    attempt.mark(now, "aa" * 8)
    assert attempt.seconds_until_safe(now, 10, work_seconds=90) == waits
    assert attempt.seconds_until_safe(now, 90, work_seconds=90) == 0
    attempt.sends = 1
    assert attempt.seconds_until_safe(now, 10, work_seconds=90) == 0


@pytest.mark.parametrize(("first_used", "waits"), [(20, 0.0), (26, 80.0), (34, 80.0), (600, 80.0)])
def test_a_lock_counts_from_the_first_use_of_a_key_whoever_has_marked_it_anew(
    make_request: MakeRequest, first_used: float, waits: float
) -> None:
    now = datetime.now(UTC)
    marked = replace(
        sent_at(now - timedelta(seconds=3), "aa" * 8),
        submitted_at=now - timedelta(seconds=first_used),
    )
    attempt = Attempt(planned(make_request, "a", states={0: marked})[0])
    attempt.mark(now, "aa" * 8)
    assert attempt.seconds_since_other_run_sent(now) == first_used
    assert attempt.seconds_until_safe(now, 10, work_seconds=90) == waits


async def test_another_rows_ad_is_not_taken_for_this_rows(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    """Two equal rows, of which somebody deleted the first one's line from the table."""
    notes = Notes()
    first, second = (PlannedJob(i, make_request("x"), "campaign", f"nr {i}") for i in range(2))
    async with session_of(simulator.url) as session:
        (had,) = await generate(session, [second], wait=False)
        notes.update(first.position, had.state)
        (result,) = await generate(session, [second], journal=notes)
    assert result.state.status is RowStatus.SUBMITTING
    assert f"answers with {had.state.job_id}, which is the ad of an equal row" in (
        result.state.error or ""
    )
    assert len(simulator.api.jobs) == 1


@dataclass
class Faster(Notes):
    """A journal in which another run has written down what it knows, at the last moment."""

    known: dict[int, JobState] = field(default_factory=dict)

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        return {**await super().before_send(changes), **self.known}


async def test_what_another_run_has_created_is_followed_and_not_created(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    async with session_of(simulator.url) as session:
        ad = (await session.client.create_image_ad(make_request("a"))).image_ad
        faster = Faster(known={0: JobState(RowStatus.PROCESSING, job_id=ad.id, attempts=1)})
        (result,) = await generate(session, planned(make_request, "a"), journal=faster)
    assert (result.state.status, result.state.job_id) == (RowStatus.COMPLETED, ad.id)
    assert len(simulator.api.jobs) == 1


async def test_what_another_run_has_sent_is_asked_for_with_its_key(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    now = datetime.now(UTC)
    async with session_of(simulator.url) as session:
        (plan,) = planned(make_request, "a")
        key = "00ff" * 16
        ad = (await session.client.create_image_ad(make_request("a"), idempotency_key=key)).image_ad
        sent = sent_at(now, session.client.api_key_hash)
        (result,) = await generate(session, [plan], journal=Faster(known={0: sent}))
    assert (result.state.status, result.state.job_id) == (RowStatus.COMPLETED, ad.id)


async def test_what_another_api_key_has_sent_is_left_to_it(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    now = datetime.now(UTC)
    sent = sent_at(now, "another")
    async with session_of(simulator.url) as session:
        (result,) = await generate(
            session, planned(make_request, "a"), journal=Faster(known={0: sent})
        )
    assert result.state.status is RowStatus.SUBMITTING
    assert "another API key" in (result.state.error or "")
    assert len(simulator.api.jobs) == 0


@pytest.mark.parametrize("may_exist", [True, False])
async def test_what_a_computer_slept_over_for_a_day_is_not_sent(
    simulator: SimulatorServer, make_request: MakeRequest, may_exist: bool
) -> None:
    """Its key may have expired, or would have by the table."""
    long_ago = datetime.now(UTC) - timedelta(hours=21)
    async with session_of(simulator.url) as session:
        if may_exist:
            sent = sent_at(long_ago, session.client.api_key_hash)
            (result,) = await generate(session, planned(make_request, "a", states={0: sent}))
            assert result.state.status is RowStatus.SUBMITTING
            assert "too long ago" in (result.state.error or "")
        else:
            clock = session.client.now
            times = iter([long_ago])
            session.client.now = lambda: next(times, clock())  # type: ignore[method-assign]
            (result,) = await generate(session, planned(make_request, "a"))
            assert (result.state.status, result.state.attempts) == (RowStatus.PENDING, 0)
    assert len(simulator.api.jobs) == 0


async def test_a_mark_that_is_renewed_is_written_before_the_create_is_sent_again(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    """A laptop that sends first and loses its power would leave an ad that nobody looks for."""
    (plan,) = planned(make_request, "a")
    notes, attempt = Notes(), Attempt(plan)
    async with session_of(simulator.url) as session:
        woke_at = session.client.now()
        attempt.mark(woke_at - timedelta(hours=5), session.client.api_key_hash)
        attempt.note_sent()
        run = _ChunkRun(session, notes, [attempt], max_jobs=1, timeout_seconds=60, wait=True)
        run.looked_at = math.inf
        written = run._check_before_send(attempt, attempt.keys)
        assert written is not None
        assert (attempt.sends, notes.sent) == (1, [])
        await written
        assert notes.sent == [{0}]
        assert (asked_at := notes.states[0][-1].asked_at) is not None
        assert asked_at >= woke_at
        assert run._check_before_send(attempt, attempt.keys) is None
    assert (attempt.sends, len(notes.sent)) == (2, 1)
