"""A process that is forked begins and ends as it would had it been started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import without_settings
from tests.support.processes import run

SHOW = """
import logging
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_LEVEL

print(PREFECT_API_URL.value(), PREFECT_LOGGING_LEVEL.value(), logging.getLogger("prefect").level)
"""
URL = "http://127.0.0.1:9/api"

AGAIN = 3
"""Times: each reads its own settings, makes them known, or has the ones that are known."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def shown(home: Path, folder: Path, **settings: str) -> str:
    """What a process shows in this environment, however often it is started."""
    environment = {**without_settings(), "PREFECT_HOME": str(home), **settings}
    told = {run("-c", SHOW, env=environment, cwd=folder).out for _ in range(AGAIN)}
    assert len(told) == 1
    return told.pop().strip()


def test_settings_are_those_of_the_environment(home: Path, tmp_path: Path) -> None:
    assert shown(home, tmp_path) == "None INFO 20"
    assert shown(home, tmp_path, PREFECT_API_URL=URL) == f"{URL} INFO 20"
    assert shown(home, tmp_path, PREFECT_LOGGING_LEVEL="ERROR") == "None ERROR 40"
    assert shown(home, tmp_path) == "None INFO 20"


def test_settings_are_those_of_a_profile_as_it_is_now(home: Path, tmp_path: Path) -> None:
    assert shown(home, tmp_path) == "None INFO 20"
    profile = f'active = "work"\n[profiles.work]\nPREFECT_API_URL = "{URL}"\n'
    (home / "profiles.toml").write_text(profile)
    assert shown(home, tmp_path) == f"{URL} INFO 20"
    (home / "profiles.toml").write_text(profile + 'PREFECT_LOGGING_LEVEL = "ERROR"\n')
    assert shown(home, tmp_path) == f"{URL} ERROR 40"


def test_settings_are_those_of_the_folder_as_it_is_now(home: Path, tmp_path: Path) -> None:
    assert shown(home, tmp_path) == "None INFO 20"
    (tmp_path / "prefect.toml").write_text(f'[api]\nurl = "{URL}"\n')
    assert shown(home, tmp_path) == f"{URL} INFO 20"
    (tmp_path / "prefect.toml").unlink()
    assert shown(home, tmp_path) == "None INFO 20"


def test_settings_that_cannot_be_are_told_by_the_process_itself(home: Path, tmp_path: Path) -> None:
    environment = {**without_settings(), "PREFECT_HOME": str(home)}
    environment["PREFECT_LOGGING_LEVEL"] = "LOUD"
    for _ in range(AGAIN):
        done = run("-c", SHOW, env=environment)
        assert done.status == 1
        assert "LOUD" in done.err


ENDS = {
    "as it is": "print('said')",
    "a status": "raise SystemExit(3)",
    "no status": "raise SystemExit",
    "a message": "raise SystemExit('what is wrong')",
    "a large status": "raise SystemExit(256 + 7)",
    "an error": "print('said'); {}['none']",
    "at exit": "import atexit; atexit.register(print, 'at last')",
    "a thread": "import threading, time\n"
    "threading.Thread(target=lambda: (time.sleep(0.05), print('at last'))).start()",
    "what cannot be printed": "import os; print('said'); os.close(1); os.close(2)",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "an interruption": "import os, signal; os.kill(os.getpid(), signal.SIGINT); input()",
}


@pytest.mark.parametrize("code", ENDS.values(), ids=list(ENDS))
def test_a_process_ends_as_one_that_was_started(code: str) -> None:
    forked, started = (run("-c", code, env=os.environ, cold=cold) for cold in (False, True))
    assert (forked.status, forked.out) == (started.status, started.out)
    assert forked.err.splitlines()[-1:] == started.err.splitlines()[-1:]


@pytest.mark.parametrize("cold", [False, True])
def test_what_a_process_leaves_behind_is_told(cold: bool) -> None:
    code = "import asyncio; loop = asyncio.new_event_loop(); loop.create_task(asyncio.sleep(0))"
    assert "coroutine 'sleep' was never awaited" in run("-c", code, env=os.environ, cold=cold).err
