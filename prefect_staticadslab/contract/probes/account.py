"""Whose key it is, which is asked first: without an answer to that there is nothing to ask."""

from __future__ import annotations

from typing import Final

from prefect_staticadslab.contract.checks.answers import is_text
from prefect_staticadslab.contract.checks.refusals import UNAUTHORIZED, inconclusive, refused
from prefect_staticadslab.contract.exchange import Exchange, NoAnswerError
from prefect_staticadslab.contract.findings import Findings
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Seen, differs, holds, holds_if

ACCOUNT: Final = "/v1/account"
_NOT_ACCEPTED: Final = 401
_NOT_FOUND: Final = 404
_SERVER_ERRORS: Final = 500


class CannotAskError(Exception):
    """The API cannot be asked at all. The message says why, and what to do."""


async def ask_account(exchange: Exchange, findings: Findings) -> None:
    """Asks whose key it is, with the key and without.

    Raises:
        CannotAskError: The key is refused, or there is no API.
    """
    try:
        reply = await exchange.ask("GET", ACCOUNT)
    except NoAnswerError as error:
        raise CannotAskError(
            f"The API at {exchange.base_url} cannot be reached: {error}. "
            "Is SAL_BASE_URL right, and the network there?"
        ) from None
    if reply.status == _NOT_ACCEPTED:
        raise CannotAskError(
            f"The API at {exchange.base_url} does not accept the key ({_with_request_id(reply)}). "
            "Check SAL_API_KEY in the Static Ads Lab dashboard."
        )
    if not reply.is_json or reply.status == _NOT_FOUND or reply.status >= _SERVER_ERRORS:
        raise CannotAskError(
            f"What answers at {exchange.base_url} is not the Static Ads Lab API, or it is in "
            f"trouble ({_with_request_id(reply)}). Is SAL_BASE_URL right?"
        )
    findings.add("organization-name", organization_name(reply))
    findings.add("key-scopes", key_scopes(reply))
    with findings.without_answers("no-key"):
        keyless = await exchange.ask("GET", ACCOUNT, with_key=False)
        findings.add("no-key", refused(keyless, (UNAUTHORIZED,)))


def organization_name(reply: Reply) -> Seen:
    """Whether the account tells a name where we read it."""
    if other := inconclusive(reply):
        return other
    organization = reply.resource.get("organization")
    name = organization.get("name") if isinstance(organization, dict) else None
    return holds_if(is_text(name), "a name" if name else f"organization is {organization!r}", reply)


def key_scopes(reply: Reply) -> Seen:
    """Whether the account tells the key's scopes where we read them."""
    if other := inconclusive(reply):
        return other
    key = reply.resource.get("api_key")
    scopes = key.get("scopes") if isinstance(key, dict) else None
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        return differs(f"there is {', '.join(sorted(reply.resource)) or 'nothing'} in data", reply)
    odd = [scope for scope in scopes if ":" not in scope]
    return differs(", ".join(odd), reply) if odd else holds(f"{len(scopes)} of them", reply)


def _with_request_id(reply: Reply) -> str:
    request = f", request {reply.request_id}" if reply.request_id else ""
    return f"{reply.result}{request}"
