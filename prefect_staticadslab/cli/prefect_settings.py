"""Whether Prefect has a server to record runs in, found out without importing Prefect.

Importing it takes longer than all else that a command does before its first create.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

API_URL: Final = "PREFECT_API_URL"

SETTINGS_FILES: Final = {"prefect.toml": "[", "pyproject.toml": "tool.prefect", ".env": "PREFECT_"}
"""The files of a folder that may have settings of Prefect's, and what each contains if it has."""


def has_prefect_api() -> bool:
    """Whether an API of Prefect's is configured, in the environment or the active profile.

    Prefect is asked if it is imported by now. It is imported, and asked, where there may be
    settings besides these, or the profiles cannot be read.

    Example:
        ```python
        import os
        from prefect_staticadslab.cli.prefect_settings import has_prefect_api

        os.environ["PREFECT_API_URL"] = "http://127.0.0.1:4200/api"
        assert has_prefect_api()
        ```
    """
    if "prefect.settings" in sys.modules:
        return _ask_prefect()
    named = [value for name, value in os.environ.items() if name.upper() == API_URL]
    if named:
        return bool(named[0])
    if "PREFECT_TEST" in " ".join(os.environ) or any(map(_may_have_settings, SETTINGS_FILES)):
        return _ask_prefect()
    try:
        return bool(_active_profile().get(API_URL))
    except (OSError, ValueError, AttributeError):  # what is wrong with it, Prefect can say
        return _ask_prefect()


def _ask_prefect() -> bool:
    """Whether Prefect itself, which this imports, says that its API is configured."""
    from prefect.settings import PREFECT_API_URL

    return bool(PREFECT_API_URL.value())


def _may_have_settings(name: str) -> bool:
    """Whether a file of the current folder may have settings of Prefect's: also if it cannot be
    read."""
    try:
        return SETTINGS_FILES[name] in Path(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def _active_profile() -> Mapping[str, Any]:
    """The settings in Prefect's active profile, by name.

    Empty if there is no file of profiles: the profiles that Prefect has by itself set no API.

    Raises:
        OSError, ValueError, AttributeError: The profiles cannot be read.
    """
    folder = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    place = Path(os.environ.get("PREFECT_PROFILES_PATH") or folder / "profiles.toml")
    if not place.exists():
        return {}
    read = tomllib.loads(place.read_text(encoding="utf-8"))
    active = os.environ.get("PREFECT_PROFILE") or read.get("active", "")
    found: Mapping[str, Any] = read.get("profiles", {}).get(active, {})
    return found
