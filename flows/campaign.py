"""A spreadsheet becomes a table of image URLs: the flow, and the command that runs it.

python flows/campaign.py examples/campaign.csv results.csv --simulate
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn

import pydantic
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)
from prefect.states import Completed, Failed
from prefect.utilities.annotations import quote

from prefect_staticadslab import (
    StaticAdsLabCredentials,
    StaticAdsLabError,
    generate_image_ads,
)
from prefect_staticadslab.api.connection import API_KEY_VARIABLE
from prefect_staticadslab.api.jobs import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.api.rate_limit import RateLimiter, shared_limiter
from prefect_staticadslab.artifacts import create_summary_artifact
from prefect_staticadslab.campaign import storage
from prefect_staticadslab.campaign.concurrency import all_of
from prefect_staticadslab.campaign.contact_sheet import write_contact_sheet
from prefect_staticadslab.campaign.pictures import download_pictures, make_folder
from prefect_staticadslab.campaign.plan import Plan
from prefect_staticadslab.campaign.problems import CampaignError
from prefect_staticadslab.campaign.progress import duration, show_progress, terminal_progress
from prefect_staticadslab.campaign.results import ResultTable
from prefect_staticadslab.campaign.run import Campaign, Preflight, Summary
from prefect_staticadslab.console import ALWAYS_SHOWN, PREFECT, PREFECT_WORKERS, hide_logs_of
from prefect_staticadslab.credentials import refusals

COMPLETED, INCOMPLETE, REFUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses of the command."""

SIMULATOR_SPEED = 20.0
RATE_WINDOW_SECONDS = 60.0
"""`--simulate` shows in seconds what takes minutes: jobs and the rate limit's window alike."""

TEMPORARY_SERVER = {
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 180,
    PREFECT_SERVER_ANALYTICS_ENABLED: False,
}
"""For the server that Prefect starts if none is configured: the first start on a slow machine
takes longer than its 20 s, and it should tell nobody about it."""

PATIENCE_SECONDS = 15
"""How long an interrupted command gives Prefect to come to an end."""

ARTIFACT_SECONDS = 30.0
"""How long Prefect's server may take to keep the summary."""


@dataclass
class _Watch:
    """What the command wants to know of the flow that it runs, whatever becomes of the server.

    Attributes:
        handle_signals: Replaces the handler that Prefect sets for SIGTERM when a flow starts. That
            one raises in the middle of whatever is being done: workers need it, a command does not.
        started: Whether the flow began to run.
        interrupted: Whether the command was interrupted.
        ended: How it ended.
    """

    handle_signals: Callable[[], None] = lambda: None
    started: bool = False
    interrupted: bool = False
    ended: State[None] | None = None


_watch: ContextVar[_Watch | None] = ContextVar("watch", default=None)

REFUSED_STATE = "Refused"
"""The name of a flow run's state if nothing was created, because something was wrong."""

CREATED_STATE = "Created"
"""The name of a flow run's state if it was not to wait, and all ads are created."""


@flow(
    name="campaign",
    description="Turns a campaign spreadsheet into a table of image URLs.",
    flow_run_name="campaign {output}",
)
async def campaign(
    spreadsheet: str,
    output: str,
    credentials: StaticAdsLabCredentials,
    campaign_name: str = "",
    sheet: str = "",
    dry_run: bool = False,
    max_spend_usd: float = 0,
    attempts: int = 2,
    wait: bool = True,
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS,
    download_images: str = "",
    preflight: bool = True,
) -> State[None]:
    """Runs a campaign, or goes on with it where an earlier run of the same output stopped.

    Args:
        spreadsheet: The campaign: a .csv, .tsv or .xlsx; a path or a URL.
        output: The result table: a .csv, .tsv, .xlsx or .parquet; a path or a URL. The same output
            goes on with the same campaign; a new one is a new campaign.
        credentials: The API key to use.
        campaign_name: A name for the campaign, if its output's name should not be it.
        sheet: Which sheet of an .xlsx; the first if empty.
        dry_run: Only check the rows and say what would be created and what it would cost.
        max_spend_usd: Refuse to start if the campaign would cost more than this; 0 is no limit.
        attempts: How often to try an ad whose rendering fails. A failed one is free.
        wait: Wait for the pictures. Otherwise end once all ads are created; a later run of the
            same output collects them.
        timeout_seconds: How long to wait for one ad before it is left for a later run.
        download_images: A folder to download the pictures to; none if empty.
        preflight: Ask the API first whether the key is good, and whether every id of the
            spreadsheet exists and belongs together.

    Returns:
        Completed if every row is, or, without waiting, if every ad is created; Failed, with the
        count and the table in its message, if not.
    """
    watch = _watch.get() or _Watch()
    watch.handle_signals()
    watch.started = True
    logger = get_run_logger()
    started = time.monotonic()
    try:
        current = Campaign.open(
            spreadsheet,
            output,
            sheet=sheet,
            name=campaign_name,
            base_url=credentials.base_url,
        )
        plan = Plan.of(current.table)
        plan.check_budget(max_spend_usd)
        limiter = shared_limiter(credentials.base_url, credentials.api_key.get_secret_value())
        asked = await _preflight(current, credentials) if preflight else Preflight()
        if dry_run:
            logger.info("Dry run, nothing is created.\n%s", plan.describe(limiter.seconds_for))
            return Completed(message="Dry run: nothing was created.")
        async with credentials.get_client(attempts=3) as client:
            await current.adopt(client)
        plan = Plan.of(current.table)
        if download_images:
            make_folder(download_images)
        current.table.save_now()
    except CampaignError as error:
        logger.error("Nothing was created.\n%s", error)
        return Failed(name=REFUSED_STATE, message=str(error))

    logger.info(
        "%d of %d already completed; %d to create, up to %.2f USD, in about %s%s",
        plan.completed,
        plan.rows,
        plan.creates,
        plan.new_usd,
        duration(plan.expected_seconds(limiter.seconds_for)),
        f", for {asked.organization}" if asked.organization else "",
    )
    if gone := current.table.gone:
        logger.info(
            "%d ads of %s are no longer in the spreadsheet; they are kept after the others",
            gone,
            output,
        )
    if asked.unchecked:
        logger.info("%d ids were not looked up: that would take too long", asked.unchecked)
    async with (
        current.table.checkpoints(_say_unsaved),
        show_progress(current.table, limiter.seconds_for, logger.info),
    ):
        # Quoted, or Prefect would look for task runs in every cell of the table, for every chunk.
        table = quote(current.table)
        chunks = await all_of(
            generate_image_ads(credentials, quote(chunk), attempts, timeout_seconds, wait, table)
            for chunk in current.chunks()
        )
        results = [result for chunk in chunks for result in chunk]
        current.collect(results)
        missing = await download_pictures(current.table, download_images) if download_images else 0

    summary = current.summarize(
        results,
        already_completed=plan.completed,
        spent_before_usd=plan.spent_usd,
        seconds=time.monotonic() - started,
        contact_sheet=_write_contact_sheet(current.table, storage.name(spreadsheet)),
        pictures=download_images,
        pictures_missing=missing,
    )
    await _keep_summary(current, summary)
    lines = [summary.headline(), *summary.notes()]
    if unsaved := current.table.unsaved():
        lines.append(f"THE TABLE COULD NOT BE SAVED to {output}. What is not in it:\n{unsaved}")
        watch.ended = Failed(message="\n".join(lines))
        return watch.ended
    lines.append(f"Table:         {output}")
    if summary.contact_sheet:
        lines.append(f"Contact sheet: {summary.contact_sheet}")
    if summary.pictures:
        lines.append(f"Pictures:      {summary.pictures}")
    message = "\n".join(lines)
    if summary.is_complete:
        watch.ended = Completed(message=message)
    elif not wait and summary.is_created:
        watch.ended = Completed(name=CREATED_STATE, message=message)
    else:
        watch.ended = Failed(message=message)
    return watch.ended


async def _keep_summary(current: Campaign, summary: Summary) -> None:
    # The table is saved: whatever is wrong with Prefect's server is no reason to fail now.
    try:
        async with asyncio.timeout(ARTIFACT_SECONDS):
            await create_summary_artifact(current, summary)
    except Exception as error:
        get_run_logger().warning("Prefect's server did not keep the summary: %r", error)


async def _preflight(current: Campaign, credentials: StaticAdsLabCredentials) -> Preflight:
    async with credentials.get_client(attempts=3) as client:
        return await current.preflight(client)


def _say_unsaved(message: str) -> None:
    """For a run that is interrupted, this is the last chance to say it."""
    get_run_logger().error(message, extra=ALWAYS_SHOWN)


def _write_contact_sheet(table: ResultTable, title: str) -> str | None:
    try:
        return write_contact_sheet(table, title)
    except CampaignError as error:
        get_run_logger().warning("There is no contact sheet: %s", error)
        return None


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    given = _parser().parse_args(arguments)
    hide_logs_of(PREFECT_WORKERS)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_sigterm_like_ctrl_c())
            credentials = _credentials(given, stack)
            if credentials is None and not (given.dry_run and _no_key_wanted(given)):
                credentials = StaticAdsLabCredentials.from_environment()
            # The flow checks the same; but here a mistake is told before Prefect starts a server.
            current, plan = _open(given, credentials)
            if given.dry_run or credentials is None:
                _print_plan(given, credentials, current, plan)
                return COMPLETED
            if sys.stderr.isatty():
                stack.enter_context(terminal_progress())
                hide_logs_of(PREFECT)
                if not PREFECT_API_URL.value():
                    print("Starting Prefect, which takes some seconds.", file=sys.stderr)
            stack.enter_context(temporary_settings(TEMPORARY_SERVER))
            return _run(given, credentials)
    except (CampaignError, StaticAdsLabError, pydantic.ValidationError) as error:
        print(f"Nothing was created.\n{_explained(error)}", file=sys.stderr)
        return REFUSED
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(
            f"Interrupted. The same command goes on with {given.output} where this one stopped.",
            file=sys.stderr,
        )
        return INTERRUPTED


@contextlib.contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Until the flow runs and has handlers of its own: a process that just died would leave the
    temporary server behind that Prefect starts for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="campaign",
        description="Turns a campaign spreadsheet into a table of image URLs. "
        "The same command with the same output goes on where the last run stopped.",
        epilog="Exit status: 0 every row completed; 1 finished, and some rows are not completed; "
        "2 refused before anything was created; 130 interrupted, with everything recorded. "
        f"The key comes from {API_KEY_VARIABLE}, or from --credentials.",
    )
    option = parser.add_argument
    option("spreadsheet", metavar="SPREADSHEET", help=".csv, .tsv or .xlsx; a path or a URL")
    option("output", metavar="OUTPUT", help=".csv, .tsv, .xlsx or .parquet; a path or a URL")
    option("--simulate", action="store_true", help="no account needed: no ad is real")
    option("--credentials", metavar="BLOCK", help="a saved credentials block")
    option("--dry-run", action="store_true", help="only check, and print the plan")
    option("--max-spend-usd", type=_positive, default=0.0, metavar="X", help="refuse above it")
    option("--attempts", type=_at_least_one, default=2, metavar="N", help="jobs per ad (2)")
    option("--campaign", default="", metavar="NAME", help="the campaign's name (its output's)")
    option("--no-wait", action="store_true", help="end once all ads are created; collect later")
    option("--no-preflight", action="store_true", help="do not look up the ids first")
    option("--sheet", default="", metavar="NAME", help="which sheet of an .xlsx (the first)")
    option("--download-images", default="", metavar="FOLDER", help="download the pictures there")
    option(
        "--timeout-seconds",
        type=_positive,
        default=BATCH_TIMEOUT_SECONDS,
        metavar="S",
        help="how long to wait for one ad (%(default)g)",
    )
    return parser


def _positive(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")


def _at_least_one(text: str) -> int:
    with contextlib.suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")


def _credentials(
    given: argparse.Namespace, stack: contextlib.ExitStack
) -> StaticAdsLabCredentials | None:
    """The credentials that the command names; None if they are to come from the environment."""
    if given.simulate:
        from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer

        if given.dry_run:
            return None
        server = stack.enter_context(
            SimulatorServer(
                speed=SIMULATOR_SPEED, rate_window_seconds=RATE_WINDOW_SECONDS / SIMULATOR_SPEED
            )
        )
        if not given.download_images:
            # Its pictures are gone with it.
            given.download_images = storage.sibling(given.output, "-pictures")
        print(
            f"SIMULATION, {SIMULATOR_SPEED:g} times faster than the API: "
            "no ad is real, and nothing is billed.",
            file=sys.stderr,
        )
        return StaticAdsLabCredentials(
            api_key=pydantic.SecretStr(SIMULATOR_API_KEY), base_url=server.url
        )
    if given.credentials:
        try:
            return StaticAdsLabCredentials.load_saved(given.credentials)
        except ValueError as error:
            raise CampaignError(
                f"The credentials block {given.credentials} cannot be loaded: {error}"
            ) from error
    return None


def _no_key_wanted(given: argparse.Namespace) -> bool:
    return given.simulate or given.no_preflight or not os.environ.get(API_KEY_VARIABLE)


def _print_plan(
    given: argparse.Namespace,
    credentials: StaticAdsLabCredentials | None,
    current: Campaign,
    plan: Plan,
) -> None:
    if credentials is not None and not given.no_preflight:
        asyncio.run(_preflight(current, credentials))
        key = credentials.api_key.get_secret_value()
        print(plan.describe(shared_limiter(credentials.base_url, key).seconds_for))
    else:
        print(plan.describe(RateLimiter().seconds_for))
        print("The ids were not looked up: that needs a key.")
    print("Dry run: nothing was created.")


def _open(
    given: argparse.Namespace, credentials: StaticAdsLabCredentials | None
) -> tuple[Campaign, Plan]:
    """Checks what can be checked without the API."""
    current = Campaign.open(
        given.spreadsheet,
        given.output,
        sheet=given.sheet,
        name=given.campaign,
        base_url=credentials.base_url if credentials else "",
    )
    if given.simulate:
        current.check_simulation()
    plan = Plan.of(current.table)
    plan.check_budget(given.max_spend_usd)
    return current, plan


def _run(given: argparse.Namespace, credentials: StaticAdsLabCredentials) -> int:
    async def run() -> State[Any]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def interrupt() -> None:
            # Prefect calls it a crash; it is none.
            hide_logs_of(PREFECT)
            watch.interrupted = True
            task.cancel()
            # By then all is recorded. Prefect would go on for minutes to tell a server of it that
            # the same Ctrl-C may have ended.
            for seconds in range(PATIENCE_SECONDS, 10 * PATIENCE_SECONDS, PATIENCE_SECONDS):
                loop.call_later(seconds, task.cancel)

        def handle_signals() -> None:
            for number in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError):  # Windows has only Ctrl-C
                    loop.add_signal_handler(number, interrupt)

        watch.handle_signals = handle_signals
        _watch.set(watch)
        return await campaign(
            given.spreadsheet,
            given.output,
            credentials,
            campaign_name=given.campaign,
            sheet=given.sheet,
            max_spend_usd=given.max_spend_usd,
            attempts=given.attempts,
            wait=not given.no_wait,
            timeout_seconds=given.timeout_seconds,
            download_images=given.download_images,
            preflight=not given.no_preflight,
            return_state=True,
        )

    watch = _Watch()
    state: State[Any]
    try:
        state = asyncio.run(run())
    except Exception as error:
        if watch.interrupted:
            raise asyncio.CancelledError from error
        if not watch.started:
            raise CampaignError(
                f"Prefect could not start the run, with its server at {PREFECT_API_URL.value()}: "
                f"{error}"
            ) from error
        if watch.ended is None:
            raise
        print(f"Prefect's server could not be told how it ended: {error}", file=sys.stderr)
    state = watch.ended or state
    if watch.interrupted or state.is_cancelled() or state.is_crashed():
        raise asyncio.CancelledError
    if state.name == REFUSED_STATE:
        print(f"Nothing was created.\n{state.message}", file=sys.stderr)
        return REFUSED
    print(state.message)
    return COMPLETED if state.is_completed() and state.name != CREATED_STATE else INCOMPLETE


def _explained(error: Exception) -> str:
    if isinstance(error, pydantic.ValidationError):
        return "\n".join(refusals(error))
    return str(error)


def _leave(status: int) -> NoReturn:
    """Ends the process; in bounded time after an interruption, if Prefect's server is away."""
    if status == INTERRUPTED:
        sys.stderr.flush()
        leave = threading.Timer(PATIENCE_SECONDS, os._exit, [status])
        leave.daemon = True
        leave.start()
    sys.exit(status)


if __name__ == "__main__":
    _leave(main())
