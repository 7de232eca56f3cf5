"""Saves the credentials block from the environment, and brand kits from a file.

    SAL_API_KEY=sal_live_… staticadslab blocks
    SAL_API_KEY=sal_live_… staticadslab blocks examples/brand_kits.toml

Safe to run again: what is the same is left alone, and what differs is told and only replaced with
`--overwrite`. The key is never printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence

import pydantic
from prefect.settings import PREFECT_API_URL

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api.connection import API_KEY_VARIABLE, BASE_URL_VARIABLE
from prefect_staticadslab.api.errors import InvalidAPIKeyError
from prefect_staticadslab.brand_kits.blocks import PrefectBlocks, PrefectError, prefect_blocks
from prefect_staticadslab.brand_kits.diff import (
    BlockComparison,
    BlockStatus,
    compare_credentials,
    compare_kit,
    ids_with_names,
)
from prefect_staticadslab.brand_kits.keys import KitKeys, client_of, look_up_file
from prefect_staticadslab.brand_kits.kit import block_name_problem
from prefect_staticadslab.brand_kits.kit_file import KitFile, open_kits
from prefect_staticadslab.brand_kits.resolve import ResolvedKits
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.names.preflight import check_key
from prefect_staticadslab.cli.console import program_name, say
from prefect_staticadslab.cli.prefect_runs import set_up_prefect
from prefect_staticadslab.cli.runner import run_command
from prefect_staticadslab.credentials import validation_messages
from prefect_staticadslab.orchestration.reporting.log_lines import PREFECT, hide_logs_of

DEFAULT_NAME = "static-ads-lab"

ALL_SAME, DIFFERS = 0, 1
"""Exit statuses of the command, besides those of all commands: whether all saved blocks are as the
environment and the file have them."""


async def save_or_compare(given: argparse.Namespace) -> int:
    """Saves the blocks that the command is given, or with `--check` only compares them.

    Prints whose the key is, and how each block stands or what was done about it. Returns the exit
    status.

    Raises:
        CampaignError, StaticAdsLabError, pydantic.ValidationError: Nothing was saved.
    """
    file = open_kits(given.kits, given.name) if given.kits else KitFile()
    try:
        from_environment = StaticAdsLabCredentials.from_environment()
    except InvalidAPIKeyError:
        from_environment = None
    if not PREFECT_API_URL.value():
        say(
            "PREFECT_API_URL is not set, so the blocks are those of Prefect's database on this "
            "machine. Opening it takes some seconds.",
            is_error=True,
        )
    async with prefect_blocks() as prefect:
        blocks = {given.name, *(written.kit.credentials for written in file.kits)}
        saved = {b: await prefect.read_credentials(b) for b in blocks if not block_name_problem(b)}
        finding = compare_credentials(given.name, saved[given.name], from_environment)
        keys = KitKeys(given.name, from_environment, saved, finding, given.overwrite)
        await check_key_and_print_account(keys)
        kits = await look_up_file(file, keys)
        findings = [
            compare_kit(await prefect.read_kit(kit.name), kit, kits.names) for kit in kits.kits
        ]
        if given.check:
            return print_comparisons([*([finding] if from_environment else []), *findings])
        return await save_blocks(prefect, keys, kits, findings)


async def check_key_and_print_account(keys: KitKeys) -> None:
    """Asks the API about the command's key, and prints whose it is and what it may do.

    Raises:
        CampaignError: There is no key, or it is not accepted or lacks a scope; or there is no API.
    """
    credentials = keys.command_credentials()
    if keys.environment is None:
        say(f"{API_KEY_VARIABLE} is not set: this is the saved block {keys.name!r}.")
    async with client_of(credentials) as client:
        account = await check_key(client)
    say(f"Organization: {account.organization_name or 'without a name'}")
    say(f"Scopes:       {', '.join(account.scopes or ()) or 'not told'}")
    say(f"API:          {credentials.base_url}")


def print_comparisons(findings: Sequence[BlockComparison]) -> int:
    """Prints how saved blocks compare with what they should hold. Returns the exit status."""
    for finding in findings:
        say("\n".join(finding.lines_if_left()))
    same = all(finding.status is BlockStatus.SAME for finding in findings)
    return ALL_SAME if same else DIFFERS


async def save_blocks(
    prefect: PrefectBlocks, keys: KitKeys, kits: ResolvedKits, findings: Sequence[BlockComparison]
) -> int:
    """Registers the block types, and saves the blocks that are missing or are to be overwritten.

    Prints what was done about each. Returns the exit status: `DIFFERS` if one still differs, or if
    Prefect's server refused a block, after which no further one is saved.

    Args:
        prefect: The saved blocks.
        keys: The credentials block to save, if the environment has a key.
        kits: The brand kits to save.
        findings: How each kit's saved block compares with it, in the kits' order.
    """
    say(f"Block types:  {', '.join(await prefect.register())}")
    different = 0
    try:
        if keys.environment is not None:
            if keys.comparison.must_be_saved(overwrite=keys.overwrite):
                await prefect.save_credentials(
                    keys.name, keys.environment, overwrite=keys.overwrite
                )
            different += print_what_was_done(keys.comparison, overwrite=keys.overwrite)
        for kit, finding in zip(kits.kits, findings, strict=True):
            if finding.must_be_saved(overwrite=keys.overwrite):
                await prefect.save_kit(kit, overwrite=keys.overwrite)
            different += print_what_was_done(
                finding, ids_with_names(kit, kits.names), overwrite=keys.overwrite
            )
    except PrefectError as error:
        say(f"Stopped. {error}\nRun it again to save the rest.", is_error=True)
        return DIFFERS
    if different:
        say("What differs stays as it is. Replace it with --overwrite.", is_error=True)
    return DIFFERS if different else ALL_SAME


def print_what_was_done(finding: BlockComparison, contents: str = "", *, overwrite: bool) -> bool:
    """Prints whether a block was saved, and what differs. Returns whether it still differs.

    Args:
        finding: How the saved block compared with what it should hold, before.
        contents: What to print of the contents of a new block; "" for nothing.
        overwrite: Whether blocks that differ were replaced.
    """
    if finding.must_be_saved(overwrite=overwrite):
        say("\n".join(finding.lines_if_saved(contents)))
        return False
    differs = finding.status is BlockStatus.DIFFERS
    say("\n".join(finding.lines_if_left()), is_error=differs)
    return differs


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab blocks`, which saves blocks, or compares them. Returns the exit status.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    given = _parser().parse_args(arguments)
    hide_logs_of(PREFECT)

    def body(stack: contextlib.ExitStack) -> int:
        set_up_prefect(stack)
        try:
            return asyncio.run(save_or_compare(given))
        except pydantic.ValidationError as error:
            raise CampaignError("\n".join(validation_messages(error))) from None

    return run_command(
        body,
        interrupted="Interrupted. Run it again to save the rest.",
        refused="Nothing was saved.",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program_name("save"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"""\
Registers the block types with Prefect, and saves a credentials block from
{API_KEY_VARIABLE} and {BASE_URL_VARIABLE}; and brand kits, if there is a file of them.
Without {API_KEY_VARIABLE}, the saved credentials block is checked and used.""",
        epilog="""\
A file of brand kits is TOML or YAML, a table for each kit. Its name is the block's:

    [harbor-roast]
    brand = "Harbor Roast"
    product = "Cold Brew Kit"
    audience = "Commuters"
    design_template = "ad_format=Sale"
    prompt = "Steam over a harbour at dawn"
    editable = true

All fields are optional: brand, product, product_variant, audience and design_template
as in a campaign's spreadsheet (or brand_id and so on), prompt, editable,
generate_ai_images, generate_copy; and credentials, the name of another saved
credentials block. Nothing is saved if anything in the file is wrong.

Blocks that are not there are saved. One that is there and differs is told field by
field and stays as it is, while the others are saved, unless --overwrite is given.
Blocks that the file does not name are never touched.

Exit status: 0 all blocks are as asked for; 1 some are not, and stay so; 2 nothing
was saved, because of the key, the file, or Prefect's server.""",
    )
    option = parser.add_argument
    option("kits", nargs="?", metavar="FILE", help="brand kits: .toml, .yaml or .yml")
    option(
        "--name",
        default=DEFAULT_NAME,
        type=_valid_block_name,
        help="the credentials block's name (%(default)s)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--overwrite", action="store_true", help="replace blocks that differ")
    how.add_argument("--check", action="store_true", help="save nothing, and tell what differs")
    return parser


def _valid_block_name(text: str) -> str:
    """The text, if a block can be called so, as a type of argparse.

    Raises:
        argparse.ArgumentTypeError: It cannot.
    """
    if wrong := block_name_problem(text):
        raise argparse.ArgumentTypeError(wrong)
    return text
