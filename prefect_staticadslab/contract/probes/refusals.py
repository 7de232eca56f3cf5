"""What cannot succeed: unknown and wrong ids, and creates that lack all that they need."""

from __future__ import annotations

import secrets
from typing import Any, Final

from prefect_staticadslab.contract.checks import refusals
from prefect_staticadslab.contract.checks.refusals import INVALID, NOT_FOUND, UNPROCESSABLE, refused
from prefect_staticadslab.contract.exchange import Exchange
from prefect_staticadslab.contract.findings import Findings
from prefect_staticadslab.contract.kinds import (
    AUDIENCES,
    BRANDS,
    DESIGN_TEMPLATES,
    IMAGE_ADS,
    KINDS,
    PRODUCT_VARIANTS,
    PRODUCTS,
)
from prefect_staticadslab.contract.reply import Reply

WRONG_KINDS: Final = (
    (IMAGE_ADS, BRANDS),
    (DESIGN_TEMPLATES, IMAGE_ADS),
    (BRANDS, DESIGN_TEMPLATES),
)
"""What is asked for, and whose id is given instead."""

IMPOSSIBLE: Final = (IMAGE_ADS, DESIGN_TEMPLATES, PRODUCTS, PRODUCT_VARIANTS, AUDIENCES)
"""What cannot be made of nothing: it lacks its template, its picture, or what it belongs to. A
brand is not among them, as nobody says that it needs a name."""

NOTHING: Final[dict[str, Any]] = {}
OTHER_BODY: Final = {"prompt": "This has none of the ids that an ad needs."}


async def ask_for_unknown(exchange: Exchange, findings: Findings) -> None:
    """Asks for ids that nothing has, and for ids of another kind; and deletes what is not there."""
    with findings.without_answers("unknown-id"):
        for kind in KINDS:
            reply = await exchange.ask("GET", f"{kind.path}/{kind.unknown_id()}")
            findings.add("unknown-id", refused(reply, (NOT_FOUND,)))
    with findings.without_answers("wrong-kind-of-id"):
        for kind, other in WRONG_KINDS:
            reply = await exchange.ask("GET", f"{kind.path}/{other.unknown_id()}")
            findings.add("wrong-kind-of-id", refused(reply, (UNPROCESSABLE,)))
    with findings.without_answers("delete-unknown"):
        path = f"{DESIGN_TEMPLATES.path}/{DESIGN_TEMPLATES.unknown_id()}"
        reply = await exchange.ask("DELETE", path)
        findings.add("delete-unknown", refused(reply, (NOT_FOUND,)))


async def send_nothing(exchange: Exchange, findings: Findings) -> None:
    """Sends creates that lack all that they need; one of them again, and with its key another."""
    key = new_key()
    replies: list[Reply] = []
    with findings.without_answers("empty-creates", "error-details"):
        for kind in IMPOSSIBLE:
            own_key = key if kind is IMAGE_ADS else new_key()
            reply = await exchange.ask("POST", kind.path, json=NOTHING, idempotency_key=own_key)
            replies.append(reply)
            findings.add("empty-creates", refused(reply, INVALID))
        findings.add("error-details", refusals.details(replies))
    if not replies:
        return
    with findings.without_answers("refused-again", "refused-key-other-body"):
        again = await exchange.ask("POST", IMAGE_ADS.path, json=NOTHING, idempotency_key=key)
        findings.add("refused-again", refusals.refused_again(replies[0], again))
        other = await exchange.ask("POST", IMAGE_ADS.path, json=OTHER_BODY, idempotency_key=key)
        findings.add("refused-key-other-body", refusals.key_with_other_body(other))


def new_key() -> str:
    """An idempotency key that nobody has used."""
    return f"contract-{secrets.token_hex(16)}"
