"""Ads from a DataFrame: a task of your own has the rows, and a campaign makes ads of them."""

import asyncio

import pandas as pd
from prefect import flow, task
from prefect.client.schemas.objects import State

from prefect_staticadslab import StaticAdsLabCredentials, run_campaign


@task
def best_sellers(export: str, cheaper_than: float) -> pd.DataFrame:
    """What is to be advertised. This reads a file; yours may ask a shop or a warehouse."""
    products = pd.read_csv(export)
    price = products["price"].str.removesuffix(" €").astype(float)
    rows = products[price < cheaper_than].copy()
    rows["prompt"] = "This week only: {product_name} for {price}"
    return rows


@flow
async def weekly_ads(
    export: str, output: str, credentials: StaticAdsLabCredentials, cheaper_than: float = 15
) -> State[None]:
    rows = best_sellers(export, cheaper_than)
    result = await run_campaign(rows, output, credentials, max_spend_usd=10)
    return result.state


if __name__ == "__main__":
    key = StaticAdsLabCredentials.load_saved("static-ads-lab")
    asyncio.run(weekly_ads("examples/names.csv", "weekly.csv", key))
