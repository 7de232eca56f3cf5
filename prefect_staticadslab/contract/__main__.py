"""`staticadslab contract`: whether the API is what this package takes it for."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import ModuleType
from typing import Final

from prefect_staticadslab.api.connection import (
    API_KEY_VARIABLE,
    BASE_URL_VARIABLE,
    DEFAULT_BASE_URL,
    check_api_key,
    check_base_url,
)
from prefect_staticadslab.api.errors import InvalidAPIKeyError, InvalidBaseURLError
from prefect_staticadslab.api.models import FLAT_IMAGE_AD, PRICE_USD
from prefect_staticadslab.api.rate_limit.window import FIRST_GUESS_LIMIT
from prefect_staticadslab.api.responses.redactor import Redactor
from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.contract import report
from prefect_staticadslab.contract.exchange import Exchange, NoAnswerError
from prefect_staticadslab.contract.findings import Findings
from prefect_staticadslab.contract.probes import free
from prefect_staticadslab.contract.probes.account import CannotAskError, ask_account
from prefect_staticadslab.contract.probes.one_ad import Purchase, make_one
from prefect_staticadslab.contract.timing import Timing
from prefect_staticadslab.contract.verdicts import Verdict

NOTHING_DIFFERS, SOMETHING_DIFFERS, CANNOT_ASK, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses."""

AD_USD: Final = PRICE_USD[FLAT_IMAGE_AD]
NOTHING_ASKED: Final = "Nothing was asked."


@dataclass
class Proof:
    """One run: whom it asks, what it may spend, and what it has found out.

    Attributes:
        api_key: The key.
        base_url: Where the API is.
        spend_usd: What may be spent, in USD.
        timing: How long things are waited for.
    """

    api_key: str = field(repr=False)
    base_url: str
    spend_usd: Decimal
    timing: Timing
    findings: Findings = field(default_factory=Findings)
    purchase: Purchase = field(default_factory=Purchase)
    requests: int = 0

    async def run(self) -> None:
        """Asks all there is to ask, and records it in `findings`.

        Raises:
            CannotAskError, NoAnswerError: The API cannot be asked.
        """
        async with Exchange(self.api_key, self.base_url) as exchange:
            try:
                await ask_account(exchange, self.findings)
                lists = await free.ask_all(exchange, self.findings, self.timing, self._say_topic)
                if self.spend_usd:
                    self._say_topic("one image ad")
                    await make_one(
                        *(exchange, self.findings, lists, self.timing, self.purchase),
                        on_created=self._say_created,
                    )
            finally:
                self.requests = len(exchange.replies)
                free.look_at_answers(exchange, self.findings)

    def _say_topic(self, topic: str) -> None:
        """Says on a terminal what is asked next."""
        if sys.stderr.isatty():
            self.say(f"Asking about {topic}")

    def _say_created(self, ad_id: str) -> None:
        self.say(f"Image ad {ad_id} is created: {AD_USD} USD when it completes.")

    def say(self, text: str, *, is_error: bool = True) -> None:
        """Prints a text, with the key blotted out and control characters made visible."""
        shown = Redactor(self.api_key).redact(text)
        print(_visible(shown), file=sys.stderr if is_error else sys.stdout, flush=True)

    def json(self) -> bytes:
        """The report as JSON, with the key blotted out."""
        text = report.as_json(
            self.findings.all(),
            base_url=self.base_url,
            spend_usd=f"{self.spend_usd:.2f}",
            requests=self.requests,
            ad_id=self.purchase.ad_id,
        )
        return Redactor(self.api_key).redact_json(text).encode(errors="replace")


def main(arguments: list[str] | None = None, timing: Timing | None = None) -> int:
    """The command. Returns its exit status."""
    given = _parser().parse_args(arguments)
    try:
        proof = Proof(*_connection(), given.spend, timing or Timing())
        if given.json:
            _storage().check_target(given.json)
    except (InvalidAPIKeyError, InvalidBaseURLError, StorageError) as error:
        print(f"{NOTHING_ASKED}\n{_visible(str(error))}", file=sys.stderr)  # noqa: T201
        return CANNOT_ASK
    proof.say(plan(proof.base_url, proof.spend_usd))
    return _prove(proof, given.json)


def plan(base_url: str, spend_usd: Decimal) -> str:
    """What is going to be asked, how long that takes, and what it costs.

    Example:
        ```python
        from decimal import Decimal

        from prefect_staticadslab.contract.__main__ import plan

        assert "0.00 USD" in plan("https://api.staticadslab.com", Decimal(0))
        ```
    """
    lines = [
        f"Asking {base_url} what can be asked for nothing: about {free.QUESTIONS} requests, which "
        "change nothing.",
        f"Within {FIRST_GUESS_LIMIT} requests a minute, that takes up to a minute; longer if "
        "others use the key at the same time, and 40 s more if a stream is silent.",
    ]
    if spend_usd:
        lines.append(
            "Then one flat image ad is made and followed, with about 25 requests, for a minute or "
            "two. It is billed when it completes, and stays."
        )
    lines.append(f"Cost: {'up to ' if spend_usd else ''}{AD_USD if spend_usd else 0:.2f} USD.")
    return "\n".join(lines)


def _prove(proof: Proof, file: str) -> int:
    """Asks the API, says what it found, and writes the report to `file`, unless that is "" or the
    run is broken off. Returns the exit status."""
    try:
        asyncio.run(proof.run())
    except (CannotAskError, NoAnswerError) as error:
        proof.say(str(error))
        return CANNOT_ASK
    except (KeyboardInterrupt, asyncio.CancelledError):
        proof.say(f"Interrupted. {proof.purchase.warning}".rstrip())
        return INTERRUPTED
    findings = proof.findings.all()
    proof.say(f"{report.as_text(findings)}\n", is_error=False)
    proof.say(report.summary(findings), is_error=False)
    if proof.purchase.warning:
        proof.say(proof.purchase.warning)
    if file:
        try:
            _storage().write_bytes(file, proof.json())
        except StorageError as error:
            proof.say(f"The report could not be written: {error}")
            return CANNOT_ASK
        proof.say(f"Report: {file}", is_error=False)
    differing = proof.findings.count(Verdict.DIFFERS)
    return SOMETHING_DIFFERS if differing else NOTHING_DIFFERS


def _visible(text: str) -> str:
    """The text with its control characters made visible."""
    # It takes pandas along, which takes as long as all the rest of `--help`.
    from prefect_staticadslab.campaign.files.cells import visible

    return visible(text)


def _storage() -> ModuleType:
    from prefect_staticadslab.campaign.files import storage

    return storage


def _connection() -> tuple[str, str]:
    """The key and the base URL of the environment.

    Raises:
        InvalidAPIKeyError, InvalidBaseURLError: There is none, or it cannot be right.
    """
    key = os.environ.get(API_KEY_VARIABLE, "").strip()
    if not key:
        raise InvalidAPIKeyError(
            f"No API key: set the environment variable {API_KEY_VARIABLE}, such as sal_live_…"
        )
    url = os.environ.get(BASE_URL_VARIABLE, "").strip() or DEFAULT_BASE_URL
    return check_api_key(key), check_base_url(url)


def _usd(text: str) -> Decimal:
    """The amount of `--spend`, at least the price of a flat image ad.

    Raises:
        argparse.ArgumentTypeError: It is less, or no number.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < AD_USD:
        raise argparse.ArgumentTypeError(
            f"{text!r} does not pay for a flat image ad, which costs {AD_USD} USD; without "
            "--spend, nothing is created"
        )
    return amount


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="staticadslab contract",
        description="Asks the API what this package takes for granted, and says what holds. It "
        f"costs and changes nothing without --spend. {API_KEY_VARIABLE} and {BASE_URL_VARIABLE} "
        "name the API.",
        epilog="Exit status: 0 nothing differs; 1 something does; 2 the API cannot be asked, or "
        "the command is wrong; 130 interrupted.",
    )
    option = parser.add_argument
    option("--json", metavar="FILE", default="", help="write a report, for a bug report")
    option(
        "--spend",
        metavar="USD",
        type=_usd,
        default=Decimal(0),
        help=f"make one flat image ad as well, for {AD_USD} USD, and follow it to its end",
    )
    return parser


def main_of_process(arguments: list[str] | None = None) -> int:
    """`main` in a process of its own, in which SIGTERM interrupts from now on, as Ctrl-C does."""
    # Whoever ends it has to learn of an ad that goes on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return main(arguments)


if __name__ == "__main__":
    sys.exit(main_of_process())
