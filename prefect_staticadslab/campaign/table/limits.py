"""Limits of spending, their defaults, and which amounts of money in files are believed."""

from __future__ import annotations

import math
import numbers
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Final

from prefect_staticadslab.campaign.errors import CampaignError

RUN_LIMIT_USD: Final = 50.0
"""What one run may cost that is started from a form, by a schedule or by an inbox. Nobody need look
on there, so it is a sum that a mistake may cost. It is fifty ads."""

ONE_AD_LIMIT_USD: Final = 5.0
"""The same for a run that makes one ad, which is 1.00 USD, or 4.00 if it is editable."""

DAY_LIMIT_USD: Final = 100.0
"""What an inbox may start on a day. Its schedule runs it a hundred times a day, and each time has
the limit of a run anew."""

ASK_ABOVE_USD: Final = 100.0
"""Up to here a command goes ahead without a limit that was given. Above, somebody has to agree: it
is a hundred ads, which few mean who have not said so."""

MAX_COST_USD: Final = Decimal(1000)
"""The most that a table may say that one ad has cost; the dearest is 4.00 USD."""

MAX_ATTEMPTS: Final = 1_000_000
"""The most attempts that a table may say a row has had: more than a run every minute makes in a
year. Idempotency keys are made of them."""

MAX_AMOUNT_USD: Final = Decimal(10) ** 9
"""The most that any amount in a file may be; sums of such amounts are exact as decimals."""

CENT: Final = Decimal("0.01")


class BudgetError(CampaignError):
    """The campaign would cost more than it may, or its limit is no amount of money."""


def limit_of(max_spend_usd: float, name: str = "max_spend_usd") -> Decimal:
    """Checks a limit in USD, as given in code: 0 means that nothing may be spent, infinity means
    no limit.

    Args:
        max_spend_usd: The limit.
        name: What it is called, for the message.

    Raises:
        BudgetError: It is no number, or less than 0.

    Example:
        ```python
        import math

        from prefect_staticadslab.campaign.table.limits import limit_of

        assert limit_of(12.5) < limit_of(math.inf)
        ```
    """
    is_number = isinstance(max_spend_usd, numbers.Real | Decimal)
    if is_number and not isinstance(max_spend_usd, bool):
        limit = Decimal(str(max_spend_usd))
        if not limit.is_nan() and limit >= 0:
            return limit
    raise _no_limit(max_spend_usd, name)


def check_limit(max_spend_usd: float, name: str = "max_spend_usd") -> None:
    """Raises if a limit that was given in a form is no sum of money, or is infinite.

    Raises:
        BudgetError: It is. The message calls the limit `name`.
    """
    if limit_of(max_spend_usd, name).is_infinite():
        raise _no_limit(max_spend_usd, name)


def _no_limit(given: object, name: str) -> BudgetError:
    """The error for what was given as the limit `name`, and is none."""
    # It takes pandas along, for which no command's --help should wait.
    from prefect_staticadslab.campaign.files.cells import shortened

    return BudgetError(
        f"The limit {name} must be an amount in USD, 0 or more; {shortened(str(given))} is none."
    )


def limit_for(total_usd: Decimal) -> float:
    """The lowest limit that lets this sum through: the sum rounded up to a cent, in USD.

    Example:
        ```python
        from decimal import Decimal

        from prefect_staticadslab.campaign.table.limits import limit_for

        assert limit_for(Decimal("0.7501")) == 0.76
        ```
    """
    return float(total_usd.quantize(CENT, ROUND_CEILING))


def amount_of(text: str) -> Decimal:
    """Reads an amount of money in USD from a file's text, with a decimal point or comma.

    Raises:
        ValueError: It is none: no number, less than 0, or more than `MAX_AMOUNT_USD`.
    """
    try:
        amount = Decimal(text.replace(",", "."))
    except InvalidOperation:
        raise ValueError(text) from None
    if not amount.is_finite() or not 0 <= amount <= MAX_AMOUNT_USD:
        raise ValueError(text)
    return amount


def cost_of(text: str) -> Decimal | None:
    """Reads what an ad has cost, in USD, from a result table's cell; None if that is empty.

    Raises:
        ValueError: No ad can have cost that.
    """
    if not text:
        return None
    cost = amount_of(text)
    if cost > MAX_COST_USD:
        raise ValueError(text)
    return cost


def attempts_of(text: str) -> int:
    """Reads how many attempts a row has had from a result table's cell; 0 if that is empty.

    Raises:
        ValueError: It is no whole number, or none that can be.
    """
    attempts = float(text or 0)
    if not math.isfinite(attempts) or not 0 <= attempts <= MAX_ATTEMPTS or attempts % 1:
        raise ValueError(text)
    return int(attempts)
