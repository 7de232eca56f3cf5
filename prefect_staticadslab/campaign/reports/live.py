"""One image ad's progress, live: a bar on a terminal, log lines without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from prefect_staticadslab.api.events import Complete, Failed, ImageAdEvent, Progress
from prefect_staticadslab.campaign.files.cells import shortened, visible
from prefect_staticadslab.campaign.reports.progress import is_on_terminal

LONGEST_TEXT: Final = 200
"""Characters that a terminal shows of what the API says that it does."""

ShowProgress = Callable[[float, str], None]
"""Takes how much is done, between 0 and 1, and what is being done, and shows both."""


@contextmanager
def show_events(
    image_ad_id: str, log: Callable[[str], None], update: ShowProgress
) -> Iterator[Callable[[ImageAdEvent], None]]:
    """Shows an ad's progress while the body runs: a bar on a terminal, elsewhere log lines.

    It yields a function that is to be called with each of the ad's events.

    Args:
        image_ad_id: Which ad.
        log: Logs a line, if there is no terminal.
        update: Is called with each change of the progress as well.
    """
    with _terminal_display(image_ad_id) if is_on_terminal() else _log_display(log) as show:
        share = 0.0

        def on_event(event: ImageAdEvent) -> None:
            """Shows an event, if it says how the ad stands; others are ignored."""
            nonlocal share
            match event:
                case Progress():
                    share = share if event.percentage is None else event.percentage
                    text = event.message or event.step
                case Complete():
                    share, text = 1.0, "Completed"
                case Failed():
                    text = "Failed"
                case _:
                    return
            show(share, text)
            update(share, f"{image_ad_id}: {text}")

        yield on_event


@contextmanager
def _log_display(log: Callable[[str], None]) -> Iterator[ShowProgress]:
    """Yields a function that logs how much is done, and what; the same text only once in a row."""
    last = ""

    def show(share: float, text: str) -> None:
        """Logs a text, if it is not the one that was logged last."""
        nonlocal last
        if text != last:
            log(f"{100 * share:3.0f} %  {text}")
        last = text

    yield show


@contextmanager
def _terminal_display(image_ad_id: str) -> Iterator[ShowProgress]:
    """Shows a bar on the terminal while the body runs; yields a function that updates it."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Display
    from rich.progress import TimeElapsedColumn as Elapsed

    text_column = TextColumn("{task.description}")
    columns = (SpinnerColumn(), BarColumn(24), TaskProgressColumn(), text_column, Elapsed())
    with Display(*columns, console=Console(stderr=True), refresh_per_second=4) as display:
        bar = display.add_task(escape(visible(shortened(image_ad_id))), total=1.0)

        def show(share: float, text: str) -> None:
            """Sets the bar, and the text behind it."""
            text = escape(visible(shortened(text, LONGEST_TEXT)))
            display.update(bar, completed=share, description=text, refresh=True)

        yield show
