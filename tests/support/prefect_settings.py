"""Prefect's settings for a process that was forked: what reading them took is not done twice.

To read them is nearly all that such a process does before its first line.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock


class Settings(NamedTuple):
    """What Prefect makes of its environment when it is imported.

    Attributes:
        context: Its settings, and the profile that they are from.
        logging: What its log is configured with.
    """

    context: Any
    logging: dict[str, Any]

    @classmethod
    def read(cls) -> Settings:
        """Reads them anew: here Prefect was imported in another environment."""
        import prefect.context
        from prefect.logging import configuration
        from prefect.settings import PREFECT_LOGGING_SETTINGS_PATH, Profile, Settings

        # The profiles are looked for where the settings say, so there must be some before.
        nowhere = Profile(name="nowhere", settings={})
        prefect.context.GLOBAL_SETTINGS_CONTEXT = prefect.context.SettingsContext(
            profile=nowhere, settings=Settings()
        )
        prefect.context.refresh_global_settings_context()
        own = PREFECT_LOGGING_SETTINGS_PATH.value()
        path = own if own.exists() else configuration.DEFAULT_LOGGING_SETTINGS_PATH
        return cls(prefect.context.GLOBAL_SETTINGS_CONTEXT, configuration.load_logging_config(path))

    def apply(self) -> None:
        """Makes them this process's."""
        import prefect.context
        from prefect.logging import configuration

        prefect.context.GLOBAL_SETTINGS_CONTEXT = self.context
        configuration.PROCESS_LOGGING_CONFIG.clear()
        logging.captureWarnings(False)
        with mock.patch.object(configuration, "load_logging_config", return_value=self.logging):
            configuration.setup_logging()


class KnownSettings:
    """The settings of the environments that processes began in more than once.

    To read them is all that takes time in many a process.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Settings | None] = {}

    def find(self, request: dict[str, Any]) -> Settings | None:
        """The settings of a process that is to begin; None if it has to read them itself."""
        key = _what_settings_hang_on(request["environment"], Path(request["folder"]))
        if key in self._known and self._known[key] is None:
            self._known[key] = _read_there(request)
        return self._known.setdefault(key, None)


def _what_settings_hang_on(environment: dict[str, str], folder: Path) -> Any:
    named = {
        name: value
        for name, value in environment.items()
        if name.startswith("PREFECT") or name in ("HOME", "DO_NOT_TRACK")
    }
    home = environment.get("PREFECT_HOME") or Path(environment.get("HOME", "/")) / ".prefect"
    profiles = environment.get("PREFECT_PROFILES_PATH") or Path(home) / "profiles.toml"
    files = [Path(profiles), *(folder / n for n in (".env", "prefect.toml", "pyproject.toml"))]
    contents = tuple(file.read_bytes() if file.is_file() else None for file in files)
    return tuple(sorted(named.items())), contents


def _read_there(request: dict[str, Any]) -> Settings | None:
    """The settings in an environment and a folder; None if there is something wrong with them."""
    folder, environment = Path.cwd(), dict(os.environ)
    try:
        enter(request)
        return Settings.read()
    except Exception:
        # Whoever begins there is told so.
        return None
    finally:
        enter({"folder": folder, "environment": environment})


def enter(request: dict[str, Any]) -> None:
    """Has this process in the folder and the environment of another."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
