"""The first page of everything, its bounds and its pages, and reads of many ids."""

from __future__ import annotations

from typing import Any, Final

from prefect_staticadslab.api.models import PAGE_SIZE
from prefect_staticadslab.api.transport import encoded
from prefect_staticadslab.contract.assumptions import MANY_IDS_COUNTS, MANY_IDS_KINDS, many_ids_name
from prefect_staticadslab.contract.checks import fields, lists
from prefect_staticadslab.contract.checks.fields import Lists
from prefect_staticadslab.contract.checks.refusals import BAD_REQUEST, refused
from prefect_staticadslab.contract.exchange import Exchange
from prefect_staticadslab.contract.findings import Findings
from prefect_staticadslab.contract.kinds import DESIGN_TEMPLATES, IMAGE_ADS, IMAGES, KINDS, Kind
from prefect_staticadslab.contract.verdicts import Verdict, unseen

NO_SUCH_VALUE: Final = "no-such-value"
FILTERS: Final = ((IMAGE_ADS, "status"), (DESIGN_TEMPLATES, "status"), (IMAGES, "image_type"))
"""Filters that take one of a few values."""


async def read_lists(exchange: Exchange, findings: Findings) -> Lists:
    """Reads the first page of each kind, as large as it may be."""
    read: dict[Kind, Any] = {}
    for kind in KINDS:
        with findings.without_answers(f"fields-{kind.name}"):
            reply = await exchange.ask("GET", f"{kind.path}?limit={PAGE_SIZE}")
            read[kind] = reply
            findings.add(f"fields-{kind.name}", fields.readable(kind, reply))
    ads = read[IMAGE_ADS].items if IMAGE_ADS in read else []
    findings.add("has-more", lists.has_more(read))
    findings.add("id-prefixes", fields.id_prefixes(read))
    findings.add("times", fields.times(read))
    findings.add("statuses", fields.statuses(read))
    findings.add("sku-codes", fields.sku_codes(ads))
    findings.add("image-url", fields.image_urls(ads))
    findings.add("job-progress", fields.progress(ads))
    return read


async def ask_bounds(exchange: Exchange, findings: Findings, read: Lists) -> None:
    """Asks for pages that are too small or too large, for two small ones, and for nonsense."""
    readable = [kind for kind in KINDS if kind in read and read[kind].is_success]
    kind = max(readable, key=lambda each: len(read[each].items), default=None)
    if kind is None:
        return
    with findings.without_answers("limit-bounds"):
        none = await exchange.ask("GET", f"{kind.path}?limit=0")
        too_many = await exchange.ask("GET", f"{kind.path}?limit={PAGE_SIZE + 1}")
        findings.add("limit-bounds", lists.limit_bounds(read[kind], none, too_many))
    with findings.without_answers("cursors"):
        await _ask_pages(exchange, findings, kind, lists.ids_of(read[kind]))
    with findings.without_answers("filter-values"):
        for kind, name in FILTERS:
            reply = await exchange.ask("GET", f"{kind.path}?{name}={NO_SUCH_VALUE}")
            findings.add("filter-values", refused(reply, (BAD_REQUEST,)))


async def _ask_pages(exchange: Exchange, findings: Findings, kind: Kind, ids: list[str]) -> None:
    if len(ids) < lists.TWO:
        findings.add("cursors", unseen("no list has two items"))
        return
    first = await exchange.ask("GET", f"{kind.path}?limit=1")
    second = await exchange.ask("GET", f"{kind.path}?limit=1&starting_after={encoded(ids[0])}")
    findings.add("cursors", lists.cursors(ids, first, second))


async def ask_many_ids(exchange: Exchange, findings: Findings, read: Lists) -> None:
    """Asks for many ids in one request, as many of them real as there are."""
    for kind in MANY_IDS_KINDS:
        names = [many_ids_name(kind, count) for count in MANY_IDS_COUNTS]
        real = lists.ids_of(read[kind]) if kind in read else []
        with findings.without_answers(*names, "unknown-ids-left-out", "ids-without-cursors"):
            takes_unknown = await _ask_unknown(exchange, findings, kind, real[:1])
            for count in MANY_IDS_COUNTS:
                asked = real[:count]
                if len(asked) < count and not takes_unknown:
                    text = f"there are {len(real)}, and unknown ids are refused"
                    findings.add(many_ids_name(kind, count), unseen(text))
                    continue
                filled = [*asked, *(kind.unknown_id() for _ in range(count - len(asked)))]
                reply = await exchange.ask("GET", f"{kind.path}?ids={_joined(filled)}")
                findings.add(many_ids_name(kind, count), lists.many_ids(reply, asked, count))
            await _ask_with_cursor(exchange, findings, kind, real[: lists.TWO])


async def _ask_unknown(exchange: Exchange, findings: Findings, kind: Kind, real: list[str]) -> bool:
    """Asks for an id that nothing has beside one that exists.

    Returns:
        Whether it was seen that unknown ids are left out, and not refused.
    """
    unknown = kind.unknown_id()
    reply = await exchange.ask("GET", f"{kind.path}?ids={_joined([*real, unknown])}")
    seen = lists.unknown_left_out(reply, real, unknown)
    findings.add("unknown-ids-left-out", seen)
    return seen.verdict is Verdict.HOLDS


async def _ask_with_cursor(
    exchange: Exchange, findings: Findings, kind: Kind, real: list[str]
) -> None:
    if not real:
        findings.add("ids-without-cursors", unseen("there is none"))
        return
    query = f"ids={_joined(real)}&limit=1&starting_after={encoded(real[0])}"
    reply = await exchange.ask("GET", f"{kind.path}?{query}")
    findings.add("ids-without-cursors", lists.ids_without_cursors(reply, real))


def _joined(ids: list[str]) -> str:
    """The ids as a query has them, with commas between them."""
    return ",".join(map(encoded, ids))
