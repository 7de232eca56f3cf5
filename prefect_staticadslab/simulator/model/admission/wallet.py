"""The organization's money, and what of it is set aside for jobs."""

from __future__ import annotations

import heapq
from decimal import Decimal

from prefect_staticadslab.simulator.model.errors import APIError


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
        if self._set_aside + price > balance:
            raise APIError(402, "INSUFFICIENT_BALANCE", "The wallet does not cover this.")
        self._set_aside += price
        if returned_at is not None:
            heapq.heappush(self._returns, (returned_at, price))
