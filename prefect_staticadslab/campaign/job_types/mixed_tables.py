"""Tables of the real API and of a simulator are not mixed: what was never paid for would pass for
paid, and what was paid for would be made again in a simulation, and lost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from prefect_staticadslab.api.connection import hash_api_key, is_loopback
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.campaign.table.table_on_disk import OutputError

SIMULATOR_API_KEYS: Final = ("sal_live_simulator", "sal_live_simulator_2")
"""The keys of each simulator that can begin jobs."""

_SIMULATOR_HASHES: Final = frozenset(map(hash_api_key, SIMULATOR_API_KEYS))

_AGAIN: Final = " If it is the spreadsheet, then --again makes all of it anew."


def check_not_simulated(table: JobTable[Any], base_url: str) -> None:
    """Raises if a simulator's table is to be used with the real API.

    Args:
        table: The table.
        base_url: The address of the API. A simulator's is on this machine.

    Raises:
        OutputError: A picture is on this machine, or a job was sent with a simulator's key.
    """
    if not _is_local(base_url) and any(_signs_of_simulator(table.states)):
        raise OutputError(
            f"{_place_of_jobs(table)} was made with a simulator: nothing in it is real. "
            f"Choose another output.{_AGAIN if table.earlier_jobs else ''}"
        )


def check_not_real(table: JobTable[Any]) -> None:
    """Raises if the real API's table is to be used for a simulation.

    Raises:
        OutputError: A picture is not on this machine, or a job was sent with a key that is no
            simulator's.
    """
    if not all(_signs_of_simulator(table.states)):
        raise OutputError(
            f"{_place_of_jobs(table)} was made with the real API. Choose another output for a "
            f"simulation.{_AGAIN if table.earlier_jobs else ''}"
        )


def _signs_of_simulator(states: Iterable[JobState]) -> Iterable[bool]:
    """Of each picture, and of each key that a job is on its way with, whether it is a simulator's.
    What has neither says nothing."""
    for state in states:
        if state.image_url:
            yield _is_local(state.image_url)
        if state.api_key_hash:
            yield state.api_key_hash in _SIMULATOR_HASHES


def _place_of_jobs(table: JobTable[Any]) -> str | None:
    """The file that says which jobs there are by now: the spreadsheet, if it is a result table and
    there is no other yet; else the result table, or None if none is kept."""
    taken_over = table.earlier_jobs and not table.resumed
    return table.earlier_jobs.source if table.earlier_jobs and taken_over else table.location


def _is_local(url: str) -> bool:
    """Whether an address is on this machine; False if it cannot be parsed."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
