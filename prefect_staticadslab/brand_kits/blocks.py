"""Reads and saves blocks on Prefect's server. No error message repeats what was sent to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import httpx
import pydantic
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from pydantic import SecretStr

from prefect_staticadslab.api.models import ImageAdOptions
from prefect_staticadslab.brand_kits.diff import SavedCredentials
from prefect_staticadslab.brand_kits.image_ad_job import ImageAdJob
from prefect_staticadslab.brand_kits.kit import BrandKit
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.rows.ad_defaults import AdDefaults
from prefect_staticadslab.campaign.rows.option_words import read_saved_options
from prefect_staticadslab.credentials import StaticAdsLabCredentials, validation_messages

BLOCK_TYPES: Final = (StaticAdsLabCredentials, ImageAdJob)
"""The block types of this package."""


class PrefectError(CampaignError):
    """Prefect's server refused a request or did not answer."""


class PrefectBlocks:
    """Reads and saves the blocks of a Prefect server. Made by `prefect_blocks`.

    Every method raises `PrefectError` if the server refuses a request or does not answer.
    """

    def __init__(self, client: PrefectClient) -> None:
        self._client = client

    async def register(self) -> list[str]:
        """Registers the package's block types, so that the UI's catalogue has them. Safe to repeat.

        Returns:
            Their names.
        """
        with prefect_errors():
            for block_type in BLOCK_TYPES:
                await block_type.aregister_type_and_schema(client=self._client)
        return [block_type.get_block_type_name() for block_type in BLOCK_TYPES]

    async def read_credentials(self, name: str) -> SavedCredentials | None:
        """The saved credentials block of this name; None if there is none."""
        document = await self._read_document(StaticAdsLabCredentials.get_block_type_slug(), name)
        if document is None:
            return None
        key, url = (document.data.get(field) for field in ("api_key", "base_url"))
        usable, problem = None, ""
        try:
            fields = {k: v for k, v in (("api_key", key), ("base_url", url)) if v is not None}
            usable = StaticAdsLabCredentials.model_validate(fields)
        except pydantic.ValidationError as error:
            problem = "; ".join(validation_messages(error))
        return SavedCredentials(SecretStr(str(key or "")), str(url or ""), usable, problem)

    async def read_kit(self, name: str) -> BrandKit | None:
        """The saved brand kit of this name; None if there is none."""
        document = await self._read_document(ImageAdJob.get_block_type_slug(), name)
        return None if document is None else kit_of(name, document)

    async def save_credentials(
        self, name: str, credentials: StaticAdsLabCredentials, *, overwrite: bool
    ) -> None:
        """Saves a credentials block.

        Raises:
            PrefectError: There is one of this name, and it is not to be overwritten.
        """
        with prefect_errors():
            await credentials.asave(name, overwrite=overwrite, client=self._client)

    async def save_kit(self, kit: BrandKit, *, overwrite: bool) -> None:
        """Saves a brand kit, with a reference to its credentials block: a new key there is its own.

        Raises:
            PrefectError: There is one of this name, and it is not to be overwritten; or there is no
                credentials block to refer to.
        """
        with prefect_errors():
            credentials = await StaticAdsLabCredentials.aload(kit.credentials, client=self._client)
            block = ImageAdJob(credentials=credentials, **dict(kit.ad))
            await block.asave(kit.name, overwrite=overwrite, client=self._client)

    async def _read_document(self, block_type_slug: str, name: str) -> BlockDocument | None:
        """A saved block with its secrets; None if there is none of this type and name."""
        with prefect_errors():
            try:
                return await self._client.read_block_document_by_name(
                    name, block_type_slug=block_type_slug, include_secrets=True
                )
            except ObjectNotFound:
                return None


@contextlib.asynccontextmanager
async def prefect_blocks() -> AsyncIterator[PrefectBlocks]:
    """Opens the blocks of the server that `PREFECT_API_URL` names, or of this machine's database.

    For the latter Prefect starts a temporary server.

    Raises:
        PrefectError: There is no server, or it is none of Prefect's.
    """
    async with contextlib.AsyncExitStack() as stack:
        with prefect_errors():
            client = await stack.enter_async_context(get_client())
            # Any web server says of a block that it is not found; only Prefect's has a version.
            await client.api_version()
        yield PrefectBlocks(client)


def kit_of(name: str, document: BlockDocument) -> BrandKit:
    """The brand kit that a saved `ImageAdJob` holds, with fields that may be invalid.

    Args:
        name: The block's name.
        document: The block as Prefect has it.
    """
    data = document.data
    fields: dict[str, Any] = {name: str(data.get(name) or "") for name in AdDefaults.model_fields}
    fields |= {
        "editable": bool(data.get("editable")),
        "options": _saved_options(data.get("options")),
    }
    ad = AdDefaults.model_construct(**fields)
    return BrandKit(
        name, _referenced_block(document.block_document_references.get("credentials")), ad
    )


def _referenced_block(reference: Mapping[str, Any] | None) -> str:
    """The name of the block that a field refers to; "" if it holds a nameless block of its own."""
    document = (reference or {}).get("block_document") or {}
    return str(document.get("name") or "")


def _saved_options(value: object) -> ImageAdOptions:
    """The options that a saved block holds; the defaults if they are not valid."""
    try:
        return read_saved_options(value or {})
    except pydantic.ValidationError:
        return ImageAdOptions()


@contextlib.contextmanager
def prefect_errors() -> Iterator[None]:
    """While the body runs, raises Prefect's errors as `PrefectError`s, without the answer's body:
    that may quote the key."""
    url = PREFECT_API_URL.value()
    try:
        yield
    except httpx.HTTPStatusError as error:
        status, reason = error.response.status_code, error.response.reason_phrase
        hint = _ENDS_IN_API if status == HTTPStatus.NOT_FOUND else ""
        raise PrefectError(f"Prefect's server at {url} refused: {status} {reason}.{hint}") from None
    except json.JSONDecodeError:
        raise PrefectError(f"What answers at {url} is not Prefect's API.{_ENDS_IN_API}") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise PrefectError(
            f"Prefect's server at {url} does not answer: {reason}. Start it with "
            "`prefect server start`, or set PREFECT_API_URL to where it is."
        ) from error
    except (RuntimeError, ValueError) as error:
        # No server could be started, or somebody else saved or deleted the same block meanwhile.
        raise PrefectError(f"Prefect refused: {error}") from error


_ENDS_IN_API: Final = " Is PREFECT_API_URL right? It ends in /api."
