"""What every page of this program has: one HTML text that needs no other file and is known again.

A page's template, style and script are files of `assets`.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

import jinja2

from prefect_staticadslab.bounds import PAGE_START_BYTES
from prefect_staticadslab.campaign.files import storage

_FOLDER: Final = Path(__file__).parent / "assets"


def read_asset(name: str) -> str:
    """The text of a file of `assets`."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def page_environment() -> jinja2.Environment:
    """Where a page's template is made: what it fills in is escaped."""
    return jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)


def page_parts(generator: str, style: str, script: str) -> dict[str, str]:
    """What a page's template fills into its head.

    Args:
        generator: The line of HTML by which `is_page_with` knows the page again.
        style, script: Its CSS and JavaScript, which the page's Content-Security-Policy allows by
            their hashes, and nothing else.

    Example:
        ```python
        from prefect_staticadslab.campaign.pictures.pages import page_parts

        parts = page_parts("<meta>", "p { margin: 0 }", "")
        assert parts["style_hash"].startswith("sha256-")
        ```
    """
    return {
        "generator": generator,
        "style": style,
        "script": script,
        "style_hash": _csp_hash(style),
        "script_hash": _csp_hash(script),
    }


def is_page_with(generator: str, location: str) -> bool:
    """Whether a file is a page with this line, by the file's beginning: other people's pages are
    not overwritten."""
    return generator.encode() in storage.read_start(location, PAGE_START_BYTES)


def _csp_hash(text: str) -> str:
    """The hash by which a Content-Security-Policy allows an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
