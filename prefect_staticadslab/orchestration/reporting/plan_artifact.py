"""What a dry run leaves in Prefect: the ads as they would be, and what they would cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from prefect.artifacts import acreate_markdown_artifact

from prefect_staticadslab.campaign.errors import SPREADSHEET_WORDS, Words
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pictures.preview.planned_ads import (
    NamedCost,
    PlannedAd,
    costs_by_name,
)
from prefect_staticadslab.campaign.reports.plan import Plan, counted_ads
from prefect_staticadslab.orchestration.reporting.artifacts import (
    ARTIFACT_SECONDS,
    artifact_key,
    try_to_keep,
)
from prefect_staticadslab.orchestration.reporting.contents import (
    TABLE_ROWS,
    escaped_web_url,
    markdown_cell,
    markdown_picture,
    without_markup,
)

LISTED_SHARES: Final = 20
"""The most brands, and the most templates, whose costs are told one by one."""


async def keep_plan(
    campaign: Campaign,
    plan: Plan,
    ads: Sequence[PlannedAd],
    preview: str = "",
    words: Words = SPREADSHEET_WORDS,
) -> bool:
    """Keeps a dry run's plan as an artifact, or logs why that is not possible.

    Its key is the same for all dry runs of a campaign.

    Args:
        campaign: The campaign.
        plan: What there is to do.
        ads: The ads that would be created.
        preview: Where the page is that shows all of them; "" if there is none.
        words: What people call rows.

    Returns:
        Whether it is kept.
    """
    cost = f" for up to {plan.new_usd:,.2f} USD" if ads else ""
    # The cards of the UI show the first fifty characters.
    description = f"{counted_ads(len(ads))} to create{cost}: {campaign.title}"
    creating = acreate_markdown_artifact(
        key=artifact_key(campaign, "plan"),
        markdown=plan_markdown(plan, ads, preview, words),
        description=without_markup(description),
    )
    return await try_to_keep(creating, ARTIFACT_SECONDS)


def plan_markdown(
    plan: Plan,
    ads: Sequence[PlannedAd],
    preview: str = "",
    words: Words = SPREADSHEET_WORDS,
) -> str:
    """A dry run's plan as Markdown: the facts, the costs, and the first `TABLE_ROWS` ads.

    Its arguments are those of `keep_plan`.
    """
    lines = [plan.dry_run_message(counted_ads(len(ads))), ""]
    facts = [plan.rows_to_ads_sentence] if plan.rows_to_ads_sentence else []
    facts += [*plan.nothing_to_create_for(), *plan.remarks(words)]
    facts += [f"All of them are shown in {preview}"] if preview else []
    lines += [f"- {markdown_cell(fact)}" for fact in facts]
    if not ads:
        return "\n".join(lines)
    lines += _cost_table("Brand", costs_by_name(ads, [ad.brand for ad in ads]))
    lines += _cost_table("Design template", costs_by_name(ads, [ad.template_name for ad in ads]))
    lines += [
        "",
        f"| | {words.row.capitalize()} | Of | Audience | Prompt | Template | USD |",
        "|---|---:|---|---|---|---|---:|",
    ]
    lines += [_ad_line(ad, words) for ad in ads[:TABLE_ROWS]]
    if len(ads) > TABLE_ROWS:
        lines += ["", f"The first {TABLE_ROWS} of {len(ads):,} ads."]
    return "\n".join(lines)


def _ad_line(ad: PlannedAd, words: Words) -> str:
    """A planned ad's line in the plan's Markdown table."""
    url = escaped_web_url(ad.template_picture)
    cells = (
        markdown_picture(url) if url else " ",
        words.which([ad.row]),
        f"{markdown_cell(ad.brand)} · {markdown_cell(ad.product_name)}",
        markdown_cell(ad.audience),
        markdown_cell(ad.prompt) or "*no prompt*",
        markdown_cell(ad.template_name),
        f"{ad.price_usd:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def _cost_table(title: str, costs: Sequence[NamedCost]) -> list[str]:
    """The lines of a Markdown table of what ads cost by what they have in common; after the first
    `LISTED_SHARES`, one line for all others.

    Args:
        title: What they have in common, such as `Brand`.
        costs: The costs, the dearest first.
    """
    lines = ["", f"| {title} | Ads | Up to USD |", "|---|---:|---:|"]
    listed, rest = costs[:LISTED_SHARES], costs[LISTED_SHARES:]
    lines += [
        f"| {markdown_cell(share.name)} | {share.ads:,} | {share.usd:,.2f} |" for share in listed
    ]
    if rest:
        usd = sum((share.usd for share in rest), Decimal(0))
        ads = sum(share.ads for share in rest)
        lines.append(f"| and {len(rest):,} more | {ads:,} | {usd:,.2f} |")
    return lines
