"""The organization's money, and what of it is set aside for jobs."""

from __future__ import annotations

import heapq
from decimal import Decimal
from typing import Final

from prefect_staticadslab.simulator.model.errors import APIError

TOP_UP_URL: Final = "https://www.staticadslab.com/settings?tab=billing"
"""The vendor's own page, as its errors name it."""


class Wallet:
    """Sets the price of each job aside when it begins; a failed one gives it back at its end."""

    def __init__(self) -> None:
        self._set_aside = Decimal(0)
        self._returns: list[tuple[float, Decimal]] = []  # a heap: when, and how much

    def set_aside(
        self, price: Decimal, now: float, *, balance: Decimal, returned_at: float | None
    ) -> None:
        """Sets the price of a job aside.

        Args:
            price: Of the job.
            now: The time.
            balance: What the organization has in all, whether set aside or not.
            returned_at: When the job will fail; None if it will succeed.

        Raises:
            APIError: 402 if the balance does not cover it.
        """
        while self._returns and self._returns[0][0] <= now:
            self._set_aside -= heapq.heappop(self._returns)[1]
        left = balance - self._set_aside
        if price > left:
            raise _insufficient(price, left)
        self._set_aside += price
        if returned_at is not None:
            heapq.heappush(self._returns, (returned_at, price))


def _insufficient(price: Decimal, left: Decimal) -> APIError:
    """A 402 that says how much is missing."""
    message = (
        f"This costs {price:.2f} USD, and the wallet has {left:.2f} USD left: "
        f"{price - left:.2f} USD are missing. Top up at {TOP_UP_URL}"
    )
    return APIError(402, "INSUFFICIENT_BALANCE", message, top_up_url=TOP_UP_URL)
