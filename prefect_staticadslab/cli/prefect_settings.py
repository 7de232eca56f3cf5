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

PREFECTS_FILES: Final = {"prefect.toml": "[", "pyproject.toml": "tool.prefect", ".env": "PREFECT_"}
"""Where a folder may say what Prefect uses there, and what such a file has in it then."""


def has_prefect_api() -> bool:
    """Whether an API of Prefect's is configured, in the environment or the active profile.

    Prefect itself is asked if it is imported by now, and where the answer takes more than its
    profiles.

    Example:
        ```python
        import os
        from prefect_staticadslab.cli.prefect_settings import has_prefect_api

        os.environ["PREFECT_API_URL"] = "http://127.0.0.1:4200/api"
        assert has_prefect_api()
        ```
    """
    if "prefect.settings" in sys.modules:
        return _as_prefect_says()
    named = [value for name, value in os.environ.items() if name.upper() == API_URL]
    if named:
        return bool(named[0])
    if "PREFECT_TEST" in " ".join(os.environ) or any(map(_may_say, PREFECTS_FILES)):
        return _as_prefect_says()
    try:
        return bool(_active_profile().get(API_URL))
    except (OSError, ValueError, AttributeError):  # what is wrong with it, Prefect can say
        return _as_prefect_says()


def _as_prefect_says() -> bool:
    from prefect.settings import PREFECT_API_URL

    return bool(PREFECT_API_URL.value())


def _may_say(name: str) -> bool:
    """Whether a file of this folder may say what Prefect uses here."""
    try:
        return PREFECTS_FILES[name] in Path(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def _active_profile() -> Mapping[str, Any]:
    """The settings of Prefect's active profile; none if it is Prefect's own, which has no API.

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
