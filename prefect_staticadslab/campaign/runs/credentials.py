"""API keys as a run is given them: in Prefect's blocks, or by themselves."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from prefect_staticadslab.api.connection import (
    API_KEY_VARIABLE,
    BASE_URL_VARIABLE,
    DEFAULT_BASE_URL,
    check_api_key,
    check_base_url,
    hash_api_key,
)
from prefect_staticadslab.api.errors import InvalidAPIKeyError, StaticAdsLabError
from prefect_staticadslab.api.rate_limit import shared_limiter
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pipeline.chunks import KeyLimiters
from prefect_staticadslab.campaign.pipeline.planned_job import (
    ImageAdResult,
    Journal,
    PlannedJob,
    RemoteJournal,
)

if TYPE_CHECKING:
    from pydantic import SecretStr

    from prefect_staticadslab.api.client import StaticAdsLabClient


class Credentials(Protocol):
    """An API key, and the API that it is for: Prefect's block, or `KeyCredentials`."""

    @property
    def api_key(self) -> SecretStr: ...
    @property
    def base_url(self) -> str: ...
    def get_client(self, **options: Any) -> StaticAdsLabClient: ...


C = TypeVar("C", bound=Credentials)


@dataclass(frozen=True)
class KeyCredentials:
    """Credentials that are no block, for a run that Prefect has nothing to do with.

    Attributes:
        api_key: The API key, `sal_live_…`.
        base_url: Where the API is.

    Example:
        ```python
        from prefect_staticadslab.campaign.runs.credentials import KeyCredentials

        credentials = KeyCredentials.of("sal_live_simulator", "http://127.0.0.1:8000/v1")
        assert credentials.base_url == "http://127.0.0.1:8000"
        assert "sal_" not in repr(credentials)
        ```
    """

    api_key: SecretStr
    base_url: str = DEFAULT_BASE_URL

    @classmethod
    def of(cls, api_key: str, base_url: str = "") -> KeyCredentials:
        """Credentials of a key and an address, once both are checked; "" is the API's own address.

        Raises:
            InvalidAPIKeyError: The key or the address cannot be right. The message says how, also
                if both are wrong, and never holds the key.
        """
        reasons: list[str] = []
        try:
            check_api_key(api_key)
        except StaticAdsLabError as error:
            reasons.append(str(error))
        try:
            base_url = check_base_url(base_url or DEFAULT_BASE_URL)
        except StaticAdsLabError as error:
            reasons.append(str(error))
        if reasons:
            raise InvalidAPIKeyError("\n".join(reasons))
        from pydantic import SecretStr

        return cls(SecretStr(api_key), base_url)

    @classmethod
    def from_environment(cls) -> KeyCredentials:
        """Credentials from `SAL_API_KEY` and, if set, `SAL_BASE_URL`.

        Raises:
            InvalidAPIKeyError: There are none, or they cannot be right.
        """
        return cls.of(*settings_of_environment())

    def get_client(self, **options: Any) -> StaticAdsLabClient:
        """A client with this key; see `StaticAdsLabCredentials.get_client`."""
        # It takes httpx along, for which no refusal of a spreadsheet should wait.
        from prefect_staticadslab.api.client import StaticAdsLabClient

        return StaticAdsLabClient(self.api_key.get_secret_value(), self.base_url, **options)


def settings_of_environment() -> tuple[str, str]:
    """The key and the address that the environment names, unchecked; "" is the API's own address.

    Raises:
        InvalidAPIKeyError: It names no key.
    """
    key = os.environ.get(API_KEY_VARIABLE, "").strip()
    if not key:
        raise InvalidAPIKeyError(
            f"No API key: set the environment variable {API_KEY_VARIABLE}, "
            "or name a credentials block."
        )
    return key, os.environ.get(BASE_URL_VARIABLE, "").strip()


def by_api_key_hash(*credentials: C) -> dict[str, C]:
    """Credentials by the hash of their API key; of several with one key, the last.

    Raises:
        CampaignError: They are for different APIs.
    """
    if len({each.base_url for each in credentials}) > 1:
        raise CampaignError("The credentials are for different base URLs; a campaign has one.")
    return {hash_api_key(each.api_key.get_secret_value()): each for each in credentials}


def limiters_of(credentials: Mapping[str, Credentials]) -> KeyLimiters:
    """The rate limiters of credentials, by the API key's hash: those that this process shares."""
    return KeyLimiters(
        {
            api_key_hash: shared_limiter(each.base_url, api_key_hash)
            for api_key_hash, each in credentials.items()
        }
    )


@contextlib.asynccontextmanager
async def clients_of(
    credentials: Mapping[str, Credentials],
) -> AsyncIterator[list[StaticAdsLabClient]]:
    """Opens a client for each of these credentials, in their order, while the body runs. They try
    little, as is right before the first create."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(each.get_client(max_tries=3))
            for each in credentials.values()
        ]


async def run_chunk(
    credentials: Credentials,
    planned: Sequence[PlannedJob],
    attempts: int,
    timeout_seconds: float,
    wait: bool,
    journal: Journal | RemoteJournal | None,
) -> list[ImageAdResult]:
    """Brings a chunk of jobs to their ends in the session that all chunks of a key share.

    Args:
        credentials: The API key.
        planned: The jobs.
        attempts, timeout_seconds, wait: See `generate`.
        journal: Where to record what becomes known; None for nowhere.

    Returns:
        A result for each planned job, in the same order.
    """
    from prefect_staticadslab.campaign.pipeline.chunk_run import generate
    from prefect_staticadslab.campaign.pipeline.session import shared_session

    api_key = credentials.api_key.get_secret_value()
    async with shared_session(api_key, credentials.base_url) as session:
        run = functools.partial(
            generate,
            session,
            planned,
            attempts=attempts,
            timeout_seconds=timeout_seconds,
            wait=wait,
        )
        if isinstance(journal, RemoteJournal):
            return await journal.run_with_journal(planned, run)
        return await run(journal)
