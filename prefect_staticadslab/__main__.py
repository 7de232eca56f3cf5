"""`staticadslab`: every command of this package by its name, each imported when it is called."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final, NamedTuple

from prefect_staticadslab import __version__
from prefect_staticadslab.cli.console import ENTRY, naming_itself

INTERRUPTED: Final = 130
"""The exit status of a command that was interrupted; see `cli.runner`."""

SHELLS: Final = ("bash", "zsh", "tcsh")


class Command(NamedTuple):
    """A command.

    Attributes:
        module: Where it is, within this package: a module with `main` and `_parser`.
        does: What it does, for the list of all commands.
        main: The name of the module's function that runs it: it takes the arguments after the
            command's name, and returns the exit status.
    """

    module: str
    does: str
    main: str = "main"


COMMANDS: Final = {
    "campaign": Command("cli.commands.campaign", "a spreadsheet becomes a table of image ads"),
    "inbox": Command("cli.commands.inbox", "so does each spreadsheet of a folder, once"),
    "create-ads": Command("cli.commands.create_ads", "ads for a saved brand kit"),
    "revise": Command("cli.commands.revise", "change editable ads"),
    "design-templates": Command(
        "cli.commands.design_templates", "make design templates from reference ads"
    ),
    "download": Command("cli.commands.download", "the pictures of a result table"),
    "watch": Command("cli.commands.watch", "one ad, live; and create it first, if wanted"),
    "catalog": Command(
        "cli.commands.catalog", "brands, products, audiences and templates as tables"
    ),
    "blocks": Command("cli.commands.blocks", "save the key and brand kits in Prefect"),
    "serve": Command("cli.commands.serve", "run what the Prefect UI or a schedule asks for"),
    "deploy": Command("cli.commands.deploy", "write a prefect.yaml, for work pools"),
    "simulator": Command("simulator.__main__", "an offline API to try with"),
    "contract": Command(
        "contract.__main__", "ask the API whether it is what this takes it for", "main_of_process"
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the first argument names, and returns its exit status.

    Args:
        arguments: What was typed after `staticadslab`; by default, what this process was given.

    Raises:
        SystemExit: No command is named, and the help or what is wrong is printed; or the command
            was interrupted, see `leave`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] not in COMMANDS:
        parser = _parser()
        parser.parse_args(given or ["--help"])
        parser.error(f"name a command first; {ENTRY} --help lists them")
    name, command = given[0], COMMANDS[given[0]]
    with naming_itself(name):
        run: Callable[[list[str]], int] = getattr(_import_command(command), command.main)
        status = run(given[1:])
    if status == INTERRUPTED:
        from prefect_staticadslab.cli.runner import leave

        leave(status)
    return status


def _import_command(command: Command) -> Any:
    """Imports a command's module, and returns it."""
    return import_module(f"{__package__}.{command.module}")


def _parser() -> argparse.ArgumentParser:
    """The parser of `staticadslab` itself, whose help lists the commands. It imports none."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {command.does}" for name, command in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog=ENTRY,
        usage=f"{ENTRY} COMMAND …",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Turns campaign spreadsheets into image ads, through the Static Ads Lab API.\n"
        "\ncommands:\n" + "\n".join(lines),
        epilog=f"{ENTRY} COMMAND --help says what a command takes. A first look, which needs no "
        f"account:\n\n  {ENTRY} catalog --starter campaign.xlsx --simulate\n"
        f"  {ENTRY} campaign campaign.xlsx results.xlsx --simulate",
    )
    parser.add_argument("--version", action="version", version=f"{ENTRY} {__version__}")
    parser.add_argument(
        "--print-completion",
        choices=SHELLS,
        action=_PrintCompletion,
        help="print what has a shell complete commands and options",
    )
    parser.add_argument("command", type=_command_name, nargs="?", help=argparse.SUPPRESS)
    return parser


def _command_name(text: str) -> str:
    """The text, if it is the name of a command, as a type of argparse.

    Raises:
        argparse.ArgumentTypeError: It is none; the message suggests the nearest.
    """
    if text in COMMANDS:
        return text
    near = get_close_matches(text, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"{ENTRY} --help lists them"
    raise argparse.ArgumentTypeError(f"{text!r} is no command; {hint}")


class _PrintCompletion(argparse.Action):
    """What `--print-completion SHELL` does: prints the shell's script, and ends the process."""

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        import shtab

        shell = given[1]
        print(shtab.complete(_completion_parser(), shell))  # noqa: T201
        parser.exit()


PATH_ARGUMENTS: Final = frozenset(
    {
        *("spreadsheet", "output", "folder", "results_folder", "source", "table", "kits"),
        *("create", "starter", "preview", "download_images", "images_zip"),
    }
)
"""The arguments of commands that are files or folders, by their names in Python: a shell completes
paths there."""


def _completion_parser() -> argparse.ArgumentParser:
    """A parser of all commands with their options, for shtab. Imports every command."""
    import shtab

    whole = argparse.ArgumentParser(prog=ENTRY)
    commands = whole.add_subparsers()
    for name, command in COMMANDS.items():
        parser = _import_command(command)._parser()
        for action in parser._actions:
            if action.dest in PATH_ARGUMENTS:
                action.complete = shtab.FILE
        commands.add_parser(name, parents=[parser], add_help=False, help=command.does)
    return whole


if __name__ == "__main__":
    sys.exit(main())
