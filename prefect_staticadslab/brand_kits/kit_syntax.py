"""TOML and YAML of kit files, within bounds. No message quotes a file: it may have a key in it."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from prefect_staticadslab.bounds import KIT_DOTS, KIT_FIELDS
from prefect_staticadslab.campaign.errors import CampaignError


def parse_toml(text: str) -> Any:
    """What a text says in TOML: a table.

    Raises:
        CampaignError: It is no valid TOML, nested too deep, or has a line with more than `KIT_DOTS`
            dots. The message goes on after the file's name.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > KIT_DOTS:
            raise CampaignError(
                f"has more than {KIT_DOTS} dots in line {number}. Break its text in two."
            )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise CampaignError(f"is no valid TOML: {_TOO_DEEP}.") from None
    except ValueError as error:  # also of a number with thousands of digits
        message, _, place = str(error).rpartition(" (at ")
        reason = next((s for s in _TOML_REASONS if message.startswith(s)), "it is not understood")
        place = f" (at {place}" if _PLACE.fullmatch(place) else ""
        raise CampaignError(f"is no valid TOML: {reason}{place}.") from None


def parse_yaml(text: str) -> Any:
    """What a text says in YAML, whatever it is; None if it is empty.

    Raises:
        CampaignError: It is no valid YAML, nested too deep, or merges too much. The message goes on
            after the file's name.
    """
    # Prefect's own dependency; it tells keys that are there twice, and takes `no` for a text.
    from ruamel.yaml import YAML as Parser
    from ruamel.yaml.error import MarkedYAMLError

    parser = Parser(typ="safe", pure=True)
    parser.Constructor = _limit_merges(parser.Constructor)
    try:
        return parser.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        reason = _UNQUOTED_START.match(str(error.problem or "")) or [""]
        unquoted = reason[0].strip(" ,:") or "it is not understood"
        raise CampaignError(f"is no valid YAML: {unquoted}{place}.") from None
    except RecursionError:
        raise CampaignError(f"is no valid YAML: {_TOO_DEEP}.") from None
    except CampaignError:
        raise
    except Exception:  # a value with a tag breaks ruamel's constructors in any way
        raise CampaignError("is no valid YAML: a value in it is not understood.") from None


def _limit_merges(constructor: Any) -> Any:
    """A subclass of ruamel's constructor that refuses a table with more than `KIT_FIELDS` fields.

    Merges of merges (`<<: [*a, *b]`) can make a short file fill the memory.
    """
    from ruamel.yaml.constructor import ConstructorError

    class Bounded(constructor):  # type: ignore[misc]
        def flatten_mapping(self, node: Any) -> Any:
            """Merges what a table names by `<<`, if that is not too much. ruamel calls it."""
            flattened = super().flatten_mapping(node)
            if len(node.value) > KIT_FIELDS:
                raise ConstructorError(None, None, "too much is merged", node.start_mark)
            return flattened

    return Bounded


_TOO_DEEP: Final = "it is nested too deep"

_TOML_REASONS: Final = (
    "Cannot declare",
    "Cannot mutate",
    "Cannot overwrite a value",
    "Cannot redefine",
    "Duplicate inline table key",
    "Escaped character is not a Unicode scalar value",
    "Expected '=' after a key in a key/value pair",
    "Expected ']' at the end of a table declaration",
    "Expected ']]' at the end of an array declaration",
    "Expected newline or end of document after a statement",
    "Found invalid character",
    "Illegal character",
    "Invalid date or datetime",
    "Invalid hex value",
    "Invalid initial character for a key part",
    "Invalid statement",
    "Invalid value",
    "Unclosed array",
    "Unclosed inline table",
    "Unescaped",
    "Unterminated string",
)
"""How Python's messages begin. They may go on with a part of the file, which is not shown."""

_PLACE: Final = re.compile(r"(?:line \d+, column \d+|end of document)\)", re.ASCII)

_UNQUOTED_START: Final = re.compile(r"(?:(?!,? but )(?:[A-Za-z <>,-]|'[^A-Za-z0-9]'))+")
"""The start of ruamel's messages, up to where they quote the file; single signs may be quoted."""
