"""A campaign within a flow run: from rows, however somebody wrote them, to their result table."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.errors import SPREADSHEET_WORDS, CampaignError, Words
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.files.conditional_writes import use_lock
from prefect_staticadslab.campaign.files.date_patterns import fill_in, moment_of
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.runs.image_ads import CampaignOptions, run_image_ads
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.orchestration.flow_outcome import refused_state, state_of
from prefect_staticadslab.orchestration.flow_retries import FlowRetries
from prefect_staticadslab.orchestration.prefect_host import PrefectHost
from prefect_staticadslab.tasks._dispatch import sync_or_async
from prefect_staticadslab.tasks._table_lock import table_lock

_words: ContextVar[Words] = ContextVar("words", default=SPREADSHEET_WORDS)


@contextlib.contextmanager
def use_words(words: Words) -> Iterator[None]:
    """Has campaigns that `run_campaign` runs in the body call rows and columns by these words."""
    token = _words.set(words)
    try:
        yield
    finally:
        _words.reset(token)


@dataclass(frozen=True)
class CampaignResult:
    """How a campaign's run ended.

    Attributes:
        state: The state that the flow run should end with.
        table: The campaign's table; None if the campaign was refused, or this was a dry run.
        started_usd: What this run has started, in USD, if all of it completes.
    """

    state: State[None]
    table: ImageAdTable | None = None
    started_usd: Decimal = Decimal(0)

    def to_frame(self) -> pd.DataFrame:
        """The result table: the input's columns, then `status`, `image_ad_id`, `image_url` and the
        others that `docs/campaign.md` lists; dtype `object`, a line per ad.

        Raises:
            CampaignError: There is none. The message says why.
        """
        if self.table is None:
            raise CampaignError(self.state.message or "There is no result table.")
        return self.table.to_frame()


@sync_or_async
async def run_campaign(
    source: str | pd.DataFrame | Spreadsheet,
    output: str,
    credentials: StaticAdsLabCredentials,
    *,
    more_credentials: Sequence[StaticAdsLabCredentials] = (),
    name: str = "",
    sheet: str = "",
    encoding: str = "",
    visible_rows: bool = False,
    dry_run: bool = False,
    max_spend_usd: float = math.inf,
    attempts: int = 2,
    wait: bool = True,
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS,
    download_images: str = "",
    images_zip: str = "",
    pictures_in_table: bool = False,
    name_pictures_by: str = "",
    one_file: bool = False,
    preflight: bool = True,
    again: bool = False,
    time_zone: str | None = None,
    rows: str = "",
    first: int = 0,
    preview: str = "",
) -> CampaignResult:
    """Runs a campaign, or goes on with it where an earlier run of it stopped. Call it in a flow:
    in one that is async, await it.

    It keeps what a campaign keeps, the table, the contact sheet and artifacts, and sends its
    events. Nothing is raised for rows that failed: the result says what became of each.

    Args:
        source: The rows: where a spreadsheet is, or a DataFrame with a spreadsheet's columns. What
            is wrong with a row of a DataFrame is told as if it were saved as a spreadsheet.
        output: Where the result table is or will be. If empty, none is kept: `name` must then be
            what no other campaign is called, and there are at most 100 ads.
        credentials, more_credentials: The API keys.
        name: What the idempotency keys are made of, if not the output.
        max_spend_usd: Nothing is created if the whole campaign, earlier runs included, could cost
            more than this. By default there is no limit; 0 is that nothing may be spent.
        sheet, encoding, visible_rows, dry_run, attempts, wait, timeout_seconds, download_images,
            images_zip, pictures_in_table, preflight, again, rows, first, preview: See
            `flows/campaign.py`; and so name_pictures_by and one_file.
        time_zone: Fills the date into all places and names, as the clocks of this zone show it
            when the flow run was to start: in `{date}` and the other placeholders of
            `files.date_patterns`. It stays the same if the run is retried, or the flow that calls
            it. None leaves braces alone.

    Returns:
        How the run ended, also if it was refused.

    Raises:
        UnfinishedError: It was refused for what may pass, and Prefect is to run the flow again.

    Example:
        ```python
        import asyncio

        import pandas as pd
        from prefect import flow
        from prefect_staticadslab import StaticAdsLabCredentials, run_campaign

        @flow
        async def two_ads(credentials: StaticAdsLabCredentials) -> list[str]:
            rows = pd.DataFrame(
                {
                    "design_template": "ad_format=Sale; aspect_ratio=4:5",
                    "brand": "Harbor Roast",
                    "product": "Cold Brew Kit",
                    "audience": "Commuters",
                    "prompt": ["Iced, by the sea", "Hot, by the fire"],
                }
            )
            result = await run_campaign(rows, "results.csv", credentials, max_spend_usd=8)
            return result.to_frame()["image_url"].tolist()

        urls = asyncio.run(two_ads(StaticAdsLabCredentials.from_environment()))
        assert len(urls) >= 2
        ```

        In a flow that is not async, leave out `async` and `await`:
        ```python
        from prefect import flow
        from prefect_staticadslab import StaticAdsLabCredentials, run_campaign

        @flow
        def nightly(spreadsheet: str, credentials: StaticAdsLabCredentials) -> str:
            result = run_campaign(spreadsheet, "nightly.csv", credentials, max_spend_usd=30)
            return result.state.message

        print(nightly("examples/names.csv", StaticAdsLabCredentials.from_environment()))
        ```
    """
    use_lock(table_lock)
    try:
        if time_zone is not None:
            scheduled = (await FlowRetries.of_this_run()).scheduled or flow_run.scheduled_start_time
            moment = moment_of(scheduled, time_zone)
            source = fill_in(source, moment) if isinstance(source, str) else source
            output, name, download_images, images_zip, preview = (
                fill_in(pattern, moment)
                for pattern in (output, name, download_images, images_zip, preview)
            )
    except CampaignError as error:
        return CampaignResult(await refused_state(error, ends_flow=False))
    options = CampaignOptions(
        source=source,
        output=output,
        name=name,
        sheet=sheet,
        encoding=encoding,
        visible_rows=visible_rows,
        dry_run=dry_run,
        max_spend_usd=max_spend_usd,
        attempts=attempts,
        wait=wait,
        timeout_seconds=timeout_seconds,
        download_images=download_images,
        images_zip=images_zip,
        pictures_in_table=pictures_in_table,
        name_pictures_by=name_pictures_by,
        one_file=one_file,
        preflight=preflight,
        again=again,
        rows=rows,
        first=first,
        preview=preview,
    )
    end = await run_image_ads(
        options, [credentials, *more_credentials], PrefectHost(), words=_words.get()
    )
    state = await state_of(end.outcome, ends_flow=False)
    return CampaignResult(state, end.table, end.started_usd)
