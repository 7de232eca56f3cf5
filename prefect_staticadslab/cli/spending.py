"""What a command prints of the cost before it starts anything, and whether somebody must agree."""

from __future__ import annotations

import argparse
import math
import sys
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.campaign.reports.job_words import ADS, JobWords
from prefect_staticadslab.campaign.reports.log_lines import note_cost_told
from prefect_staticadslab.campaign.table.limits import (
    ASK_ABOVE_USD,
    BudgetError,
    limit_for,
)
from prefect_staticadslab.cli.console import say

if TYPE_CHECKING:
    from prefect_staticadslab.campaign.reports.plan import Plan

YES: Final = frozenset(("y", "yes"))
"""What agrees. Everything else does not, nothing at all included."""


class Consent(Enum):
    """Whether a command may go ahead."""

    GIVEN = "given"
    """It may: the sum is small, was allowed by a limit, or is not billed."""
    ASKED = "asked"
    """It may if somebody at the terminal agrees, who has to be asked."""
    MISSING = "missing"
    """It may not: nobody is there to be asked."""


def consent(
    new_usd: Decimal, *, has_limit: bool, is_agreed: bool, is_billed: bool, on_terminal: bool
) -> Consent:
    """Whether a command may start what costs so much.

    Args:
        new_usd: What it will cost, in USD, if all of it completes.
        has_limit: Whether a limit was given; it was checked.
        is_agreed: Whether it was agreed to beforehand.
        is_billed: Whether it is billed at all.
        on_terminal: Whether there is somebody to ask.

    Returns:
        GIVEN if it is not billed, was limited or agreed to, or costs no more than `ASK_ABOVE_USD`;
        else ASKED at a terminal, and MISSING elsewhere.
    """
    if has_limit or is_agreed or not is_billed or new_usd <= Decimal(str(ASK_ABOVE_USD)):
        return Consent.GIVEN
    return Consent.ASKED if on_terminal else Consent.MISSING


def add_agreement_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--yes`."""
    parser.add_argument(
        "--yes",
        action="store_true",
        help="agree to what it costs, whatever that is; without it and without a limit, you are "
        f"asked above {ASK_ABOVE_USD:g} USD",
    )


def limit_given(given: argparse.Namespace) -> float:
    """What `--max-spend-usd` was given, in USD; infinity if nothing."""
    return math.inf if given.max_spend_usd is None else float(given.max_spend_usd)


def confirm_cost(plan: Plan, given: argparse.Namespace, work: JobWords = ADS) -> float:
    """Prints what a run will cost, and asks at the terminal whether to go on if that is much.

    Nothing is printed of a simulation, or if there is nothing to create. Marks the cost as told, so
    that the run does not show it again.

    Args:
        plan: What there is to do; its budget was checked.
        given: The command's arguments, with `max_spend_usd`, `yes` and `simulate`.
        work: What the run makes.

    Returns:
        What the run may spend, in USD: the limit that was given, else just what was printed. So
        nobody pays for a spreadsheet that grows before the run reads it once more.

    Raises:
        BudgetError: Nobody has agreed.
    """
    if plan.creates and not given.simulate:
        _say_on_stderr("\n".join([cost_line(plan, work), *plan.remarks()]))
    note_cost_told()
    match consent(
        plan.new_usd,
        has_limit=given.max_spend_usd is not None,
        is_agreed=given.yes,
        is_billed=not given.simulate,
        on_terminal=sys.stdin.isatty() and sys.stderr.isatty(),
    ):
        case Consent.ASKED if not _ask_for_consent(plan, work):
            raise BudgetError("That was not agreed to.")
        case Consent.MISSING:
            raise BudgetError(
                f"This costs up to {plan.new_usd:,.2f} USD, and above {ASK_ABOVE_USD:,.2f} USD "
                f"somebody has to agree. Give it a limit, --max-spend-usd "
                f"{limit_for(plan.total_usd):.2f}, or agree with --yes."
            )
    return limit_for(plan.total_usd) if given.max_spend_usd is None else given.max_spend_usd


def cost_line(plan: Plan, work: JobWords = ADS) -> str:
    """What there is to create and what it costs, on one line.

    Example:
        ```python
        from pathlib import Path

        from prefect_staticadslab.campaign.job_types.image_ads import Campaign
        from prefect_staticadslab.campaign.reports.plan import Plan
        from prefect_staticadslab.cli.spending import cost_line

        Path("two.csv").write_text(
            "design_template_id,brand_id,product_id,audience_id\\n"
            "dt_1,brand_1,prod_1,aud_1 | aud_2\\n"
        )
        plan = Plan.of(Campaign.open("two.csv", "two-results.csv").table)
        assert cost_line(plan) == "1 row makes 2 ads; 2 ads to create, up to 2.00 USD."
        ```
    """
    made = f"{plan.rows_to_ads_text}; " if plan.rows_to_ads_text else ""
    to_create = f"{work.counted(plan.creates)} to {work.verb}"
    return f"{made}{to_create}, up to {plan.new_usd:,.2f} USD.{work.note}"


def say_limits(run_usd: float, day_usd: float) -> None:
    """Prints what a run of an inbox may start at most, and marks the cost as told, so that the run
    does not show it again.

    Args:
        run_usd: The limit of this run, in USD.
        day_usd: The limit of all runs of this day, in USD.
    """
    _say_on_stderr(
        f"It may start up to {run_usd:,.2f} USD in this run, and {day_usd:,.2f} USD on this day."
    )
    note_cost_told()


def _ask_for_consent(plan: Plan, work: JobWords) -> bool:
    """Asks at the terminal whether to go on. Returns whether the answer is one of `YES`; an end of
    input, Ctrl-D, is none."""
    what = f"{work.verb.capitalize()} {work.counted(plan.creates)}?"
    _say_on_stderr(f"This costs up to {plan.new_usd:,.2f} USD. {what} [y/N] ", end="")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        _say_on_stderr("")
    return answer.strip().casefold() in YES


def _say_on_stderr(text: str, end: str = "\n") -> None:
    say(text, end=end, is_error=True)
