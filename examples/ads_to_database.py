"""A campaign's table in a database: run twice, it has each ad once, as it is then."""

import asyncio

import pandas as pd
import sqlalchemy
from prefect import flow, task
from prefect.client.schemas.objects import State

from prefect_staticadslab import StaticAdsLabCredentials, run_campaign

COLUMNS = ["brand_id", "product_id", "prompt", "status", "image_ad_id", "image_url", "error"]


@task(retries=3, retry_delay_seconds=5)
def save_ads(ads: pd.DataFrame, database: str, campaign: str) -> int:
    """Replaces what the database has of this campaign, in one transaction. Safe to repeat."""
    rows = ads[COLUMNS].assign(campaign=campaign, cost_usd=ads["cost_usd"].astype(float))
    engine = sqlalchemy.create_engine(database)
    with engine.begin() as connection:
        if sqlalchemy.inspect(connection).has_table("image_ads"):
            earlier = sqlalchemy.text("DELETE FROM image_ads WHERE campaign = :campaign")
            connection.execute(earlier, {"campaign": campaign})
        rows.to_sql("image_ads", connection, if_exists="append", index=False)
    engine.dispose()
    return len(rows)


@flow
async def campaign_into_database(
    spreadsheet: str,
    output: str,
    credentials: StaticAdsLabCredentials,
    database: str = "sqlite:///ads.db",
) -> State[None]:
    result = await run_campaign(spreadsheet, output, credentials, max_spend_usd=30)
    if result.table:
        save_ads(result.to_frame(), database, campaign=output)
    return result.state


if __name__ == "__main__":
    key = StaticAdsLabCredentials.load_saved("static-ads-lab")
    asyncio.run(campaign_into_database("examples/names.csv", "results.csv", key))
