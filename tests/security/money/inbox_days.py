"""Days of an inbox: their limits, and the notes that runs leave of what they started."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from prefect_staticadslab.campaign.inbox import day_limit
from prefect_staticadslab.campaign.inbox.day_limit import DayLimit
from prefect_staticadslab.campaign.inbox.notes import Note, read_note

API = "api.example.com"
NOON = datetime(2020, 11, 25, 12, tzinfo=UTC)


def it_is(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(day_limit, "now", lambda: moment)


def limit(usd: float, zone: str = "UTC") -> DayLimit:
    return DayLimit.of(usd, zone)


def note(name: str, api: str = API) -> Note:
    return Note(f"file:///in/{name}", f"{name}-results.csv", api)


def begun(folder: Path | str, name: str, usd: float, day: DayLimit, api: str = API) -> Note:
    return day.reserve(str(folder), name, note(name, api), Decimal(str(usd)))


def noted(folder: Path, name: str) -> Note:
    return read_note(str(folder / ".inbox" / f"{name}.json"))
