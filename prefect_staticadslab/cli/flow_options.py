"""A flow's parameters as options of its command: the flow's signature and docstring say them once.

The form in Prefect's UI is made from both, too, so a command and its form ask for the same things
in the same words.
"""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final

from prefect_staticadslab.cli.console import program_name
from prefect_staticadslab.cli.flow_source import FlowSource


def positive_number(text: str) -> float:
    """The number above 0 that a text is, as a type of argparse.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")


def whole_number(text: str, *, least: int = 1) -> int:
    """The whole number of `least` or more that a text is, as a type of argparse.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    with contextlib.suppress(ValueError):
        if int(text) >= least:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")


def usd_amount(text: str) -> float:
    """The amount in USD, 0 or more, that a text is, as a type of argparse.

    Raises:
        argparse.ArgumentTypeError: It is none, or could be read as two.
    """
    # This imports pandas, which only those need who give an amount.
    from prefect_staticadslab.campaign.table.limits import amount_of

    if _THOUSANDS.search(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} can be read in two ways: write it without a separator of thousands"
        )
    try:
        return float(amount_of(text))
    except ValueError:
        message = f"{text!r} is not an amount in USD, 0 or more"
        raise argparse.ArgumentTypeError(message) from None


_THOUSANDS: Final = re.compile(r",\d{3}\s*$")
"""The end of `1,000`: a thousand to some, and to others one with three places."""

BOUNDED: Final[Mapping[str, Callable[[str], Any]]] = {
    "attempts": whole_number,
    "first": partial(whole_number, least=0),
    "max_spend_per_day_usd": usd_amount,
    "max_spend_usd": usd_amount,
    "max_spreadsheets": partial(whole_number, least=0),
    "timeout_seconds": positive_number,
}
"""The types of argparse for numbers that have bounds, by the parameter's name."""

METAVARS: Final[Mapping[str, str]] = {
    "attempts": "N",
    "create": "FILE",
    "design_template": "ID",
    "encoding": "NAME",
    "download_images": "FOLDER",
    "first": "N",
    "images_zip": "FILE",
    "max_spreadsheets": "N",
    "name_pictures_by": "COLUMN",
    "preview": "FILE",
    "prompt": "TEXT",
    "results": "PATTERN",
    "rows": "2-10,15",
    "seconds": "S",
    "sheet": "NAME",
    "starter": "FILE",
    "usd": "X",
}
"""What help texts call a value, by the parameter's name or its last word. Others are called by
that word: `time_zone` takes a ZONE."""


def flow_parser(flow: FlowSource, *, more: str, epilog: str) -> argparse.ArgumentParser:
    """A parser for a flow's command, without options yet.

    Args:
        flow: The flow. The command is called like its module, and described like the flow.
        more: What else there is to say of the command.
        epilog: What to say below the options, such as the exit statuses.
    """
    return argparse.ArgumentParser(
        prog=program_name(flow.module), description=f"{flow.description} {more}", epilog=epilog
    )


def add_flow_options(
    parser: argparse.ArgumentParser,
    flow: FlowSource,
    *,
    names: Mapping[str, str] | None = None,
    unset: Collection[str] = (),
    without: Collection[str] = (),
) -> None:
    """Adds an argument for each parameter of a flow that can be typed into a command line.

    A required parameter is a positional argument, the others are options. A flag that is on by
    default is an option that starts with `--no-`.

    Args:
        parser: The parser of the flow's command.
        flow: The flow.
        names: Options that are called otherwise, by the parameter's name. A required parameter
            that is among them may be left out, and is empty then.
        unset: Parameters that are None if they are not given, so that the command can tell.
        without: Parameters that get no argument here.
    """
    names = names or {}
    for name, parameter in flow.parameters.items():
        if parameter.type is None or name in without:
            continue
        option = names.get(name, f"--{name.replace('_', '-')}")
        default = "" if parameter.is_required else parameter.default
        if name in unset:
            default = None
        if parameter.type is bool:
            _add_flag(parser, option, name, parameter.description, is_on=bool(default))
            continue
        value: dict[str, Any] = {
            "type": BOUNDED.get(name, parameter.type),
            "help": _help_text(parameter.description, default),
        }
        if parameter.is_required and name not in names:
            parser.add_argument(name, metavar=name.upper(), **value)
        else:
            parser.add_argument(option, dest=name, default=default, metavar=_metavar(name), **value)


def arguments_of(given: argparse.Namespace, flow: FlowSource, **instead: Any) -> dict[str, Any]:
    """A value for each parameter of a flow, by its name: what to call the flow with.

    Args:
        given: What the command was given.
        flow: The flow.
        instead: Values that are not taken from `given`, such as the credentials.
    """
    names = [name for name in flow.parameters if name not in instead]
    return {name: getattr(given, name) for name in names} | instead


def _add_flag(
    parser: argparse.ArgumentParser, option: str, name: str, description: str, *, is_on: bool
) -> None:
    """Adds a flag that sets `name`.

    One that is on by default gets an option `--no-…` that switches it off, with the help that
    follows "Otherwise" in its description.
    """
    if is_on:
        option = option.replace("--", "--no-", 1)
        description = description.partition("Otherwise ")[2]
    action = "store_false" if is_on else "store_true"
    parser.add_argument(option, dest=name, action=action, help=_help_text(description))


def _metavar(name: str) -> str:
    """What the help calls a parameter's value; see `METAVARS`."""
    last_word = name.rpartition("_")[2]
    return METAVARS.get(name) or METAVARS.get(last_word) or last_word.upper()


def _help_text(description: str, default: object = None) -> str:
    """A parameter's description as argparse shows it: the first sentence, and the default if that
    is not empty."""
    sentence = re.split(r"\.(?=\s+[A-Z0-9{]|\s*$)", " ".join(description.split()), maxsplit=1)[0]
    if not sentence[1:2].isupper():
        sentence = sentence[:1].lower() + sentence[1:]
    if default:
        shown = f"{default:g}" if isinstance(default, float) else default
        sentence += f" ({shown})"
    return sentence.replace("`", "'").replace("%", "%%")
