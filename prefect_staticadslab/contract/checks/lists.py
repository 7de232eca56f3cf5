"""How lists are cut into pages, and what a read of many ids answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from prefect_staticadslab.api.models import MAX_IDS_PER_READ
from prefect_staticadslab.contract.checks.fields import Lists
from prefect_staticadslab.contract.checks.refusals import BAD_REQUEST, inconclusive, refused
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import (
    Seen,
    all_of,
    differs,
    holds,
    holds_if,
    unseen,
)

TWO: Final = 2
"""Items that a list must have for its second page to be seen."""


def has_more(lists: Lists) -> Seen:
    """Whether each list says if it goes on."""
    read = [reply for reply in lists.values() if reply.is_success]
    odd = [reply for reply in read if reply.has_more is None]
    if not read:
        return unseen("no list could be read")
    if odd:
        return differs("; ".join(f"not on {reply.question}" for reply in odd), *odd)
    return holds(f"on all {len(read)} lists")


def limit_bounds(full: Reply, none: Reply, too_many: Reply) -> Seen:
    """Whether the largest page is taken, and nothing outside of the bounds."""
    taken = inconclusive(full) or _success(full)
    bounds = [refused(reply, (BAD_REQUEST,)) for reply in (none, too_many)]
    return all_of([taken, *bounds])


def cursors(ids: Sequence[str], first: Reply, second: Reply) -> Seen:
    """Whether two pages of one item each are the first two items of the whole list.

    Args:
        ids: Those of the whole list.
        first: The page of one item.
        second: The page of one item that follows it.
    """
    if other := inconclusive(first) or inconclusive(second):
        return other
    pages = [ids_of(first), ids_of(second)]
    if first.has_more is False:
        return differs(f"{first}: it says that nothing follows", first, second)
    text = f"{len(pages[0])} and {len(pages[1])} items, in the order of the list"
    if pages != [[ids[0]], [ids[1]]]:
        return differs(f"{second}: not what follows in the list", first, second)
    return holds(text, first, second)


def many_ids(reply: Reply, real: Collection[str], count: int) -> Seen:
    """Whether a read of so many ids answers those that exist; more than `MAX_IDS_PER_READ` must
    be refused.

    Args:
        reply: The answer.
        real: Those of the ids that are known to be there.
        count: How many ids it was asked for.
    """
    if count > MAX_IDS_PER_READ:
        return refused(reply, (BAD_REQUEST,))
    if other := inconclusive(reply):
        return other
    if not reply.is_success:
        return differs(str(reply), reply)
    missing = set(real) - set(ids_of(reply))
    if missing:
        return differs(f"{len(missing)} of {len(real)} that are there were not answered", reply)
    others = f", and {count - len(real)} that nothing has" if count > len(real) else ""
    return holds(f"{len(real)} that are there{others}", reply)


def unknown_left_out(reply: Reply, real: Collection[str], unknown: str) -> Seen:
    """Whether an id that nothing has is left out, and what is there is answered."""
    if other := inconclusive(reply):
        return other
    found = set(ids_of(reply))
    is_so = reply.is_success and found >= set(real) and unknown not in found
    return holds_if(is_so, f"{reply.result}, {len(found)} items", reply)


def ids_without_cursors(reply: Reply, real: Collection[str]) -> Seen:
    """Whether what was asked for by id is answered, whatever `limit` and `starting_after` say."""
    if other := inconclusive(reply):
        return other
    found = set(ids_of(reply)) & set(real)
    text = (
        f"{len(found)} of {len(real)} with limit=1 and starting_after" if reply.is_success else ""
    )
    return holds_if(text and len(found) == len(real), text or str(reply), reply)


def _success(reply: Reply) -> Seen:
    """Whether it was answered with a success."""
    if reply.is_success:
        return holds(reply.result, reply)
    return differs(str(reply), reply)


def ids_of(reply: Reply) -> list[str]:
    """The ids of what a list holds."""
    return [str(item.get("id")) for item in reply.items]
