"""What is said of an assumption: that it holds, that the API differs, or that nobody could see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from prefect_staticadslab.contract.reply import Reply


class Verdict(StrEnum):
    """What the answers say of an assumption."""

    HOLDS = "holds"
    DIFFERS = "differs"
    UNSEEN = "could not be seen"


@dataclass(frozen=True)
class Seen:
    """What was seen of an assumption.

    Attributes:
        verdict: What it means.
        text: What it was, for people. It holds no names or texts of the organization.
        replies: The answers that show it.
    """

    verdict: Verdict
    text: str
    replies: tuple[Reply, ...] = ()


def holds(text: str, *replies: Reply) -> Seen:
    """The API does what is assumed."""
    return Seen(Verdict.HOLDS, text, replies)


def differs(text: str, *replies: Reply) -> Seen:
    """The API does something else."""
    return Seen(Verdict.DIFFERS, text, replies)


def unseen(text: str, *replies: Reply) -> Seen:
    """Nothing that shows it came up."""
    return Seen(Verdict.UNSEEN, text, replies)


def holds_if(condition: object, text: str, *replies: Reply) -> Seen:
    """The API does what is assumed, if this is so, and else something else."""
    return holds(text, *replies) if condition else differs(text, *replies)


def all_of(parts: Iterable[Seen]) -> Seen:
    """What was seen of one assumption several times, as one: differs before holds before unseen.

    Example:
        ```python
        from prefect_staticadslab.contract.verdicts import all_of, holds, unseen

        seen = all_of([unseen("no brand"), holds("20 products")])
        assert (seen.verdict, seen.text) == ("holds", "20 products")
        ```
    """
    seen = list(parts)
    for verdict in (Verdict.DIFFERS, Verdict.HOLDS, Verdict.UNSEEN):
        if decisive := [each for each in seen if each.verdict is verdict]:
            texts = dict.fromkeys(each.text for each in decisive)
            replies = dict.fromkeys(reply for each in decisive for reply in each.replies)
            return Seen(verdict, "; ".join(texts), tuple(replies))
    return unseen("it was not asked")
