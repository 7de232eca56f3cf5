"""All questions that cost nothing and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prefect_staticadslab.contract.calls import DESCRIPTION
from prefect_staticadslab.contract.checks import answers, description
from prefect_staticadslab.contract.checks.fields import Lists
from prefect_staticadslab.contract.exchange import Exchange
from prefect_staticadslab.contract.findings import Findings
from prefect_staticadslab.contract.kinds import IMAGE_ADS
from prefect_staticadslab.contract.probes import finished_ads, lists, refusals
from prefect_staticadslab.contract.timing import Timing
from prefect_staticadslab.contract.verdicts import Verdict, unseen

QUESTIONS: Final = 55
"""About how many requests all of it takes."""

DESCRIBED: Final = (
    "described-calls",
    "described-answers",
    "described-bodies",
    "described-filters",
    "described-template-upload",
)


async def ask_all(
    exchange: Exchange, findings: Findings, timing: Timing, on_topic: Callable[[str], object]
) -> Lists:
    """Asks everything but whose key it is, which was asked before.

    Args:
        exchange: Whom to ask.
        findings: Where to say what was seen.
        timing: How long to wait.
        on_topic: Called with what is asked next.

    Returns:
        The first page of each kind.
    """
    on_topic("lists")
    read = await lists.read_lists(exchange, findings)
    await lists.ask_bounds(exchange, findings, read)
    on_topic("many ids at once")
    await lists.ask_many_ids(exchange, findings, read)
    on_topic("what has to be refused")
    await refusals.ask_for_unknown(exchange, findings)
    await refusals.send_nothing(exchange, findings)
    on_topic("finished ads")
    ads = read[IMAGE_ADS].items if IMAGE_ADS in read else []
    await finished_ads.ask_of_finished(exchange, findings, ads, timing.stream_seconds)
    on_topic("the description")
    await ask_description(exchange, findings)
    return read


async def ask_description(exchange: Exchange, findings: Findings) -> None:
    """Asks for the API's description, and compares it with the client."""
    with findings.without_answers("description", *DESCRIBED):
        reply = await exchange.ask("GET", DESCRIPTION)
        served = description.served(reply)
        findings.add("description", served)
        if served.verdict is not Verdict.HOLDS:
            for name in DESCRIBED:
                findings.add(name, unseen("there is no description"))
            return
        described = description.Description.of(reply.body)
        findings.add("described-calls", described.calls())
        findings.add("described-answers", described.answers())
        findings.add("described-bodies", described.bodies())
        findings.add("described-filters", described.filters())
        findings.add("described-template-upload", described.template_upload())


def look_at_answers(exchange: Exchange, findings: Findings) -> None:
    """Records what all answers so far have in common."""
    replies = exchange.replies
    findings.add("envelope", answers.envelope(replies))
    findings.add("request-id", answers.request_ids(replies))
    findings.add("meta-timestamp", answers.meta_timestamps(replies))
    findings.add("rate-limit-headers", answers.rate_limit_headers(replies))
    findings.add("rate-limit-window", answers.rate_limit_window(replies))
    findings.add("rate-limit-counts", answers.rate_limit_counts(replies))
    findings.add("retry-after", answers.retry_after(replies))
