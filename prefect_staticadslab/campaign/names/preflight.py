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
    """Asks the API whose key this is, before anything is created with it.

    Args:
        client: Whom to ask.
        scopes: What the key must be good for.

    Raises:
        KeyRefusedError: The key is not accepted, or lacks a scope; or the API is out of reach.
    """
    with translate_errors(client):
        account = await client.get_account()
    missing = [s for s in scopes if account.scopes and s not in account.scopes]
    if missing:
        raise KeyRefusedError(
            f"The key lacks the scope {' and '.join(missing)}. "
            "Give it that in the Static Ads Lab dashboard, or use another key."
        )
    return account


def check_one_organization(accounts: Sequence[Account]) -> None:
    """Raises if keys are of different organizations, as far as the API says.

    Raises:
        KeyRefusedError: They are.
    """
    names = sorted({account.organization_name for account in accounts} - {""})
    if len(names) > 1:
        raise KeyRefusedError(
            f"The keys belong to different organizations: {', '.join(names)}. "
            "What one of them creates, the other cannot see. Run a campaign for each."
        )


@contextlib.contextmanager
def translate_errors(client: StaticAdsLabClient, hint: str = "") -> Iterator[None]:
    """Raises the API's errors as what they say of the key, or of the API.

    Args:
        client: Who asks.
        hint: What else can be done if the API does not answer.

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
