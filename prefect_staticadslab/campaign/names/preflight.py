"""What is asked of the API before anything else: is the key good, and for what?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.api.errors import (
    AuthenticationError,
    PermissionDeniedError,
    StaticAdsLabError,
)
from prefect_staticadslab.api.models import Account
from prefect_staticadslab.campaign.errors import CampaignError

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

NEEDED_SCOPES: Final = ("image_ads:write", "image_ads:read")
TEMPLATE_SCOPES: Final = ("design_templates:write", "design_templates:read")


class KeyRefusedError(CampaignError):
    """The API does not accept the key, or not for this; or it cannot be reached."""


async def check_key(client: StaticAdsLabClient, scopes: Sequence[str] = NEEDED_SCOPES) -> Account:
    """Asks the API whose key this is and which scopes it has; one request.

    Args:
        client: Whom to ask.
        scopes: The scopes that the key must have; a key of which the API tells no scopes passes.

    Returns:
        The key's account, with its scopes.

    Raises:
        KeyRefusedError: The key is not accepted, or lacks a scope; or the API is out of reach.
    """
    with translate_api_errors(client):
        account = await client.get_account()
    missing = [s for s in scopes if account.scopes and s not in account.scopes]
    if missing:
        raise KeyRefusedError(
            f"The key lacks the scope {' and '.join(missing)}. "
            "Give it that in the Static Ads Lab dashboard, or use another key."
        )
    return account


def check_one_organization(accounts: Sequence[Account]) -> None:
    """Raises if keys belong to different organizations; one without a name counts as any.

    Raises:
        KeyRefusedError: They do.
    """
    names = sorted({account.organization_name for account in accounts} - {""})
    if len(names) > 1:
        raise KeyRefusedError(
            f"The keys belong to different organizations: {', '.join(names)}. "
            "What one of them creates, the other cannot see. Run a campaign for each."
        )


@contextlib.contextmanager
def translate_api_errors(client: StaticAdsLabClient, hint: str = "") -> Iterator[None]:
    """A context that turns the API's errors into a `KeyRefusedError` with a message for people.

    Args:
        client: The client that is used within the context, for its address.
        hint: What else can be done if the API does not answer, as a sentence after a space.

    Raises:
        KeyRefusedError: In place of any error of the API.
    """
    try:
        yield
    except (AuthenticationError, PermissionDeniedError) as error:
        raise KeyRefusedError(
            f"The API does not accept the key: {error}. Check it in the Static Ads Lab dashboard."
        ) from error
    except StaticAdsLabError as error:
        raise KeyRefusedError(
            f"The API at {client.base_url} did not answer: {error}.{hint}"
        ) from error
