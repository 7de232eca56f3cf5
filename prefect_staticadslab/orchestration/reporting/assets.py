"""Result tables as Prefect's assets: what was made, of what, and how it stands."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Any, Final
from urllib.parse import unquote

from prefect.assets import Asset, AssetProperties, add_asset_metadata, materialize
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.reports.summary import Summary
from prefect_staticadslab.orchestration.reporting.contents import without_markup

ASSET_SECONDS: Final = 30.0
"""How long Prefect's server may take to hear of an asset."""

_LONGEST_KEY: Final = 512
"""Prefect's own limit."""


async def keep_asset(batch: Batch[Any], summary: Summary, source: str) -> None:
    """Tells Prefect of a batch's table, which is saved, as an asset, or logs why it could not.

    Does nothing if the table has no place.

    Args:
        batch: What was done.
        summary: How it ended, which becomes the asset's metadata.
        source: Where the spreadsheet is that the table was made of; "" if there is none.
    """
    if batch.table.location is None:
        return
    # The table is saved: whatever Prefect does not take is no reason to fail now.
    try:
        async with asyncio.timeout(ASSET_SECONDS):
            await _materialize_asset(batch, summary, batch.table.location, source)
    except Exception as error:
        get_run_logger().warning("Prefect's server did not keep the table as an asset: %r", error)


async def _materialize_asset(
    batch: Batch[Any], summary: Summary, location: str, source: str
) -> None:
    """Runs the task that materializes a table's asset in Prefect, with the summary's counts and
    places as its metadata; see `keep_asset`.

    Raises:
        Exception: Whatever Prefect raises.
    """
    asset = Asset(
        key=asset_key(location),
        properties=AssetProperties(
            name=without_markup(batch.title), description=without_markup(summary.headline())
        ),
    )

    @materialize(
        asset,
        by="prefect-staticadslab",
        name="keep-result-table",
        cache_policy=NO_CACHE,
        asset_deps=[asset_key(source)] if source else None,
    )
    async def keep_result_table() -> None:
        """Adds the asset's metadata. It writes no table, which is saved by then: Prefect takes an
        asset from a task run only."""
        add_asset_metadata(
            asset,
            {
                "campaign": batch.name,
                "rows": summary.rows,
                **{str(status): count for status, count in summary.counts.items()},
                "cost_usd": float(summary.cost_usd),
                "contact_sheet": summary.contact_sheet or "",
            },
        )

    await keep_result_table()


def asset_key(location: str) -> str:
    """The asset's key for a table: its full URL without password and query, in the characters that
    Prefect takes; of one that is too long, its beginning and a digest.

    Example:
        ```python
        from prefect_staticadslab.orchestration.reporting.assets import asset_key

        assert asset_key("s3://ads/summer.csv") == "s3://ads/summer.csv"
        assert asset_key("/ads/Summer Sale.csv") == "file:///ads/Summer-Sale.csv"
        ```
    """
    # A URL's query may hold a signature.
    url = re.split("[?#]", storage.canonical(location))[0]
    scheme, _, rest = unquote(url).partition("://")
    # Such as simplecache::s3, of which Prefect takes the letters only.
    scheme = re.sub("[^a-z0-9]+", "", scheme.lower()) or "file"
    key = f"{scheme}://{re.sub(_NOT_ALLOWED_IN_KEY, '-', rest.rpartition('@')[2])}"
    if len(key) <= _LONGEST_KEY:
        return key
    digest = hashlib.sha256(location.encode()).hexdigest()[:16]
    return f"{key[: _LONGEST_KEY - 17]}-{digest}"


_NOT_ALLOWED_IN_KEY: Final = re.compile(r"""[\s\0#?&%"'<>\[\]{}|\\^`]+""")
