"""What comes from cells, names and answers gives no command to the terminal that it is shown on."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.states import Completed, Failed

from prefect_staticadslab import Progress
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.cells import visible
from prefect_staticadslab.campaign.reports.progress import terminal_progress
from prefect_staticadslab.cli.commands.campaign import main as campaign_command
from prefect_staticadslab.cli.commands.watch import main as watch_command
from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.prefect_runs import run_flow
from prefect_staticadslab.cli.runner import run_command
from prefect_staticadslab.orchestration.reporting import live
from prefect_staticadslab.orchestration.reporting.log_lines import show_control_characters
from tests.conftest import write_campaign

COMMANDS = {
    "clears the screen": "\x1b[2J\x1b[H",
    "writes to the clipboard": "\x1b]52;c;cm0gLXJmIH4K\x07",
    "changes the title": "\x1b]0;root@host\x1b\\",
    "is a link to elsewhere": "\x1b]8;;http://evil.example\x1b\\the invoice\x1b]8;;\x1b\\",
    "asks for an answer": "\x1b[6n\x1b[c",
    "begins with one byte": "\x9b2J",
    "goes back": "10 USD\rFREE  ",
    "deletes": "all failed\x08\x08\x08\x08\x08\x08done",
    "turns the direction": "\u202egpj.exe",
    "isolates a direction": "\u2067gpj.exe\u2069",
    "separates lines": "one\u2028two\u2029three",
    "rings": "\x07" * 3,
    "ends a text": "\x00",
    "is half of a character": "\ud83d",
}
UNSEEN = set("\x00\x07\x08\x0b\x0c\r\x1b\x7f\x9b\u2028\u2029\u202e\u2067\u2069\ud83d")

Capture = pytest.CaptureFixture[str]


@pytest.fixture(params=list(COMMANDS.values()), ids=list(COMMANDS))
def command(request: pytest.FixtureRequest) -> str:
    text: str = request.param
    return text


def told(capsys: Capture) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_what_would_not_be_seen_is_shown_as_python_writes_it(command: str) -> None:
    assert UNSEEN.isdisjoint(visible(command))
    assert visible("two\nlines\tand a tab, Crème, 👩‍🚀, שלום") == (
        "two\nlines\tand a tab, Crème, 👩‍🚀, שלום"
    )


def test_a_refusal_commands_no_terminal(command: str, capsys: Capture) -> None:
    def body(_: object) -> int:
        raise CampaignError(f"There is no brand {command}.")

    assert run_command(body, interrupted="") == 2
    assert UNSEEN.isdisjoint(said := told(capsys))
    assert "There is no brand" in said


@pytest.mark.parametrize("kind", [Completed, Failed])
def test_the_end_of_a_run_commands_no_terminal(command: str, capsys: Capture, kind: Any) -> None:
    async def run() -> State[Any]:
        state: State[Any] = kind(message=f"1 × PIPELINE_ERROR {command}")
        return state

    run_flow(run)
    assert UNSEEN.isdisjoint(said := told(capsys))
    assert "PIPELINE_ERROR" in said


def test_whatever_a_command_says_commands_no_terminal(command: str, capsys: Capture) -> None:
    """Such as the organization's name, which the API tells."""
    say(f"Organization: {command}")
    say(f"Organization: {command}", is_error=True)
    assert UNSEEN.isdisjoint(told(capsys))


class _Kept(logging.Handler):
    """Keeps messages as they are logged, as Prefect's handler for its API does."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def console() -> Iterator[tuple[PrefectConsoleHandler, io.StringIO]]:
    """The console of this process, as Prefect writes on it, and what is written there."""
    written = io.StringIO()
    handler = PrefectConsoleHandler(stream=written)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger().addHandler(handler)
    yield handler, written
    logging.getLogger().removeHandler(handler)


def test_log_lines_command_no_terminal_and_prefect_keeps_them_as_they_are(
    command: str, console: tuple[PrefectConsoleHandler, io.StringIO]
) -> None:
    handler, written = console
    for _ in range(2):  # as when a flow is run within a command
        show_control_characters()
    # Not in pytest's own record of the log: half of a character would not reach its report.
    logger, kept = logging.Logger("a-flow"), _Kept()
    logger.addHandler(handler)
    logger.addHandler(kept)
    logger.error("Row %d failed: %s", 2, command)
    try:
        raise ValueError(command)
    except ValueError:
        logger.exception("with its traceback")
    assert UNSEEN.isdisjoint(written.getvalue())
    assert "Row 2 failed: " in written.getvalue()
    assert kept.messages[0] == f"Row 2 failed: {command}"


async def test_the_progress_of_an_ad_commands_no_terminal(
    command: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object, **__: object) -> int:
        return 1

    module = "prefect_staticadslab.orchestration.reporting.progress"
    monkeypatch.setattr(f"{module}.acreate_progress_artifact", nothing)
    monkeypatch.setattr(f"{module}.aupdate_progress_artifact", nothing)
    with terminal_progress():
        async with live.show_image_ad(command) as show:
            show(Progress(command, f"Writing {command}", 0.4))
    said = told(capsys)
    assert "Writing" in said
    # The bar itself is drawn with some of these, where there is a terminal.
    assert UNSEEN.isdisjoint(said)


def test_a_spreadsheets_name_or_cell_commands_no_terminal(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAL_API_KEY", "sal_live_x")
    monkeypatch.setenv("SAL_BASE_URL", "http://127.0.0.1:9")
    clear = COMMANDS["clears the screen"] + COMMANDS["turns the direction"]
    place = Path(write_campaign(tmp_path, "a"))
    header, cell, rest = place.read_text().rpartition("brand_")
    place.write_text(header + clear + cell + rest)
    output = str(tmp_path / "out.csv")
    assert campaign_command([str(place), output]) == 2
    assert campaign_command([str(tmp_path / f"{clear}.csv"), output]) == 2
    assert watch_command([f"ia{clear}"]) == 2
    said = told(capsys)
    assert UNSEEN.isdisjoint(said)
    assert said.count(r"\x1b[2J\x1b[H") == 2  # and the path has a sign for each
