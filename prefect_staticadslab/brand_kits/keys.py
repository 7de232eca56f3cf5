"""Which key stands for which saved block, and what brand kits are with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.connection import API_KEY_VARIABLE
from prefect_staticadslab.brand_kits.diff import Finding, SavedCredentials, Standing
from prefect_staticadslab.brand_kits.kit import (
    BrandKit,
    KitProblem,
    KitsError,
    block_name_problem,
)
from prefect_staticadslab.brand_kits.kit_file import KitFile, WrittenKit
from prefect_staticadslab.brand_kits.resolve import LookedUp, look_up_kits
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.preflight import check_key
from prefect_staticadslab.credentials import StaticAdsLabCredentials

MAX_TRIES: Final = 3
"""Requests before the API counts as out of reach. Somebody sits and waits."""


@dataclass(frozen=True)
class KitKeys:
    """The keys of the credentials blocks that a command is about.

    Attributes:
        name: The block that it saves.
        given: What the environment says it should be, if it says so.
        saved: What is saved by name: this block, and those that brand kits refer to.
        finding: How the saved one stands to the environment's.
        overwrite: Whether it is replaced if it differs.
    """

    name: str
    given: StaticAdsLabCredentials | None
    saved: Mapping[str, SavedCredentials | None]
    finding: Finding
    overwrite: bool

    @property
    def stays(self) -> bool:
        """Whether the saved block stays, although it differs from the environment."""
        return self.finding.standing is Standing.DIFFERS and not self.overwrite

    def own(self) -> StaticAdsLabCredentials:
        """The credentials that the command is given: the environment's, or else the saved ones.

        Raises:
            CampaignError: There are none, or they cannot be used.
        """
        if self.given is not None:
            return self.given
        if self.saved.get(self.name) is None:
            raise CampaignError(
                f"No API key: set the environment variable {API_KEY_VARIABLE}. "
                f"There is no saved block {self.name!r} either."
            )
        return self.of(self.name)

    def of(self, name: str) -> StaticAdsLabCredentials:
        """What the block of this name will hold, which is what its brand kits are used with.

        Raises:
            CampaignError: There is none, or it cannot be used.
        """
        if name == self.name and self.given is not None and not self.stays:
            return self.given
        saved = self.saved.get(name)
        if saved is None:
            raise CampaignError(
                f"There is no saved credentials block {name!r}. Save it first, with "
                f"{API_KEY_VARIABLE} set: python blocks/save.py --name {name}"
            )
        if saved.usable is None:
            raise CampaignError(f"The saved block {name!r} cannot be used: {saved.unfit}")
        return saved.usable


def client_of(credentials: StaticAdsLabCredentials) -> StaticAdsLabClient:
    """A client that gives up soon."""
    return credentials.get_client(max_tries=MAX_TRIES)


async def look_up_file(file: KitFile, keys: KitKeys) -> LookedUp:
    """A file's kits in ids, each looked up with the key that it will be used with.

    Raises:
        KitsError: Something in the file is wrong; the message lists all of it.
    """
    kits: dict[str, BrandKit] = {}
    names: dict[str, str] = {}
    problems = list(file.problems)
    for block, theirs in _by_block(file).items():
        try:
            async with client_of(keys.of(block)) as client:
                found = await look_up_kits(client, await check_key(client), theirs)
        except CampaignError as error:
            message = f"{error}{_hint(keys, block)}"
            problems.append(KitProblem(message, theirs[0].name, "credentials"))
            continue
        kits |= {kit.name: kit for kit in found.kits}
        names |= found.names
        problems += found.problems
    if problems:
        order = {kit.name: number for number, kit in enumerate(file.kits, start=1)}
        raise KitsError(tuple(sorted(problems, key=lambda problem: order.get(problem.kit, 0))))
    return LookedUp(tuple(kits[kit.name] for kit in file.kits), names=names)


def _by_block(file: KitFile) -> dict[str, list[WrittenKit]]:
    by_block: dict[str, list[WrittenKit]] = {}
    for kit in file.kits:
        if not block_name_problem(kit.credentials):
            by_block.setdefault(kit.credentials, []).append(kit)
    return by_block


def _hint(keys: KitKeys, block: str) -> str:
    if block != keys.name or not keys.stays:
        return ""
    return (
        f" (So it is with the saved block {block!r}, which differs from the environment. "
        "Replace it with --overwrite.)"
    )
