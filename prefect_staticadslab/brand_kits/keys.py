"""The credentials of each block that brand kits refer to, and the kits looked up with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.connection import API_KEY_VARIABLE
from prefect_staticadslab.brand_kits.diff import BlockComparison, BlockStatus, SavedCredentials
from prefect_staticadslab.brand_kits.kit import BrandKit, block_name_problem
from prefect_staticadslab.brand_kits.kit_file import KitFile, WrittenKit
from prefect_staticadslab.brand_kits.resolve import ResolvedKits, look_up_kits
from prefect_staticadslab.campaign.errors import CampaignError, Problem, SpreadsheetError
from prefect_staticadslab.campaign.names.preflight import check_key
from prefect_staticadslab.credentials import StaticAdsLabCredentials

MAX_TRIES: Final = 3
"""How often a request is sent before the API counts as out of reach: few, as somebody waits."""


@dataclass(frozen=True)
class KitKeys:
    """The credentials blocks that the `blocks` command is about, as they are and will be.

    Attributes:
        name: The block that the command saves.
        environment: The environment's credentials, if it has any.
        saved: What is saved by name: this block, and those that brand kits refer to.
        comparison: The saved block compared with the environment's credentials.
        overwrite: Whether the saved block is replaced if it differs.
    """

    name: str
    environment: StaticAdsLabCredentials | None
    saved: Mapping[str, SavedCredentials | None]
    comparison: BlockComparison
    overwrite: bool

    @property
    def keeps_saved_block(self) -> bool:
        """Whether the saved block is kept although it differs from the environment."""
        return self.comparison.status is BlockStatus.DIFFERS and not self.overwrite

    def command_credentials(self) -> StaticAdsLabCredentials:
        """The command's own credentials: the environment's, or else those of its saved block.

        Raises:
            CampaignError: There are none, or they cannot be used.
        """
        if self.environment is not None:
            return self.environment
        if self.saved.get(self.name) is None:
            raise CampaignError(
                f"No API key: set the environment variable {API_KEY_VARIABLE}. "
                f"There is no saved block {self.name!r} either."
            )
        return self.credentials_for(self.name)

    def credentials_for(self, name: str) -> StaticAdsLabCredentials:
        """The credentials that the block of this name will hold once the command has ended.

        Raises:
            CampaignError: There is none, or it cannot be used.
        """
        if name == self.name and self.environment is not None and not self.keeps_saved_block:
            return self.environment
        saved = self.saved.get(name)
        if saved is None:
            raise CampaignError(
                f"There is no saved credentials block {name!r}. Save it first, with "
                f"{API_KEY_VARIABLE} set: staticadslab blocks --name {name}"
            )
        if saved.usable is None:
            raise CampaignError(f"The saved block {name!r} cannot be used: {saved.problem}")
        return saved.usable


def client_of(credentials: StaticAdsLabCredentials) -> StaticAdsLabClient:
    """A client that sends a request at most three times."""
    return credentials.get_client(max_tries=MAX_TRIES)


async def look_up_file(file: KitFile, keys: KitKeys) -> ResolvedKits:
    """A file's kits in ids, looked up through the API, each with the key that it will be used with.

    Raises:
        CampaignError: Something in the file is wrong; the message lists all of it.
    """
    kits: dict[str, BrandKit] = {}
    names: dict[str, str] = {}
    problems = list(file.problems)
    for block, block_kits in _kits_by_credentials(file).items():
        try:
            async with client_of(keys.credentials_for(block)) as client:
                resolved = await look_up_kits(client, await check_key(client), block_kits)
        except CampaignError as error:
            message = f"{error}{_overwrite_hint(keys, block)}"
            problems += [Problem(message, kit.line.number, "credentials") for kit in block_kits]
            continue
        kits |= {kit.name: kit for kit in resolved.kits}
        names |= resolved.names
        problems += resolved.problems
    if problems:
        problems.sort(key=lambda problem: problem.row or 0)
        raise CampaignError(SpreadsheetError(problems).message_in(file.words))
    return ResolvedKits(tuple(kits[written.kit.name] for written in file.kits), names=names)


def _kits_by_credentials(file: KitFile) -> dict[str, list[WrittenKit]]:
    """A file's kits by the name of their credentials block.

    Kits whose name for it cannot be a block's are left out: that is among the file's problems.
    """
    by_block: dict[str, list[WrittenKit]] = {}
    for written in file.kits:
        if not block_name_problem(written.kit.credentials):
            by_block.setdefault(written.kit.credentials, []).append(written)
    return by_block


def _overwrite_hint(keys: KitKeys, block: str) -> str:
    """What to add to an error with the credentials of a block, if `--overwrite` may mend it; else
    ""."""
    if block != keys.name or not keys.keeps_saved_block:
        return ""
    return (
        f" (So it is with the saved block {block!r}, which differs from the environment. "
        "Replace it with --overwrite.)"
    )
