"""Prefect's UI in a browser: forms are filled, runs are started, and pictures are taken of it.

    python scripts/screenshots.py        # takes those of docs/, with a server of its own

The tests in tests/flows/ui drive the UI with the same `Browser`. Needs Chromium and playwright.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, Route, sync_playwright
from playwright.sync_api import TimeoutError as PageTimeoutError

ROOT: Final = Path(__file__).resolve().parent.parent
LOGO: Final = ROOT / "docs" / "logo.png"

WIDTH, HEIGHT = 1280, 900
PATIENCE_MS: Final = 60_000

BUSY: Final = 503
"""What a server on SQLite answers while others write; whoever sits there presses again."""
ATTEMPTS: Final = 10

UI: Final = "/v2"
OLD_UI: Final = ""
"""Prefect's two UIs; the server's root leads to the new one."""


@dataclass(frozen=True)
class Browser:
    """A browser in which a Prefect server's UI is open.

    Attributes:
        page: Its only page.
        url: The server.
    """

    page: Page
    url: str

    def open(self, path: str, *texts: str) -> None:
        """Opens a page of the UI, and waits until it shows these texts."""
        self.page.goto(self.url + path)
        self.sees(*texts)

    def open_form(self, deployment_id: str, *, ui: str = UI) -> None:
        """Opens the form that starts a run of a deployment."""
        self.open(f"{ui}/deployments/deployment/{deployment_id}/run", "Run Name")
        self._there(self.page.get_by_role("button", name="Submit"), "a Submit button")

    def sees(self, *texts: str) -> None:
        """Waits until the page shows these texts, or fails with what it shows instead."""
        for text in texts:
            self._there(self.page.get_by_text(text).first, repr(text))

    def field(self, label: str) -> Locator:
        """The field of a form that has this label."""
        return self.page.get_by_label(label, exact=True).first

    def fill(self, **fields: str) -> None:
        """Types into fields of a form; their labels are the parameters' names."""
        for label, text in fields.items():
            self._there(self.field(label), f"a field {label}")
            self.field(label).fill(text)

    def choose(self, option: str, instead_of: str = "Select a block...") -> None:
        """Chooses an option in the drop-down that shows another one."""
        self._there(self.page.get_by_text(instead_of).first, f"a drop-down {instead_of}")
        self.page.get_by_text(instead_of).first.click()
        self._there(self.page.get_by_role("option", name=option), f"the option {option}")
        self.page.get_by_role("option", name=option).click()

    def click(self, button: str) -> None:
        """Presses a button."""
        wanted = self.page.get_by_role("button", name=button, exact=True).first
        self._there(wanted, f"a button {button}")
        wanted.click()

    def submit(self) -> str:
        """Sends a form that is right. Returns the id of the run that it started."""
        for _ in range(ATTEMPTS):
            with self.page.expect_response(lambda r: "create_flow_run" in r.url) as answer:
                self.click("Submit")
            started = answer.value
            if started.status != BUSY:
                break
        assert started.ok, f"{started.status} {started.text()}"
        run: str = started.json()["id"]
        return run

    def pictures(self) -> list[str]:
        """The addresses of the pictures in the page's text, once all are loaded.

        Raises:
            AssertionError: There are none, or one is not loaded.
        """
        shown = self.page.locator("main img, table img, .markdown-renderer img")
        self._there(shown.first, "a picture")
        loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
        try:
            self.page.wait_for_function(loaded, timeout=PATIENCE_MS)
        except PageTimeoutError:
            raise AssertionError(f"Not all pictures are loaded: {self.text()}") from None
        return [str(image.get_attribute("src")) for image in shown.all()]

    def text(self) -> str:
        """All that the page shows."""
        return self.page.inner_text("body")

    def take(self, file: Path) -> None:
        """Takes a picture of what the window shows."""
        self.page.mouse.move(0, 0)
        self.page.evaluate("document.activeElement.blur()")
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(500)  # whatever still moves
        self.page.screenshot(path=file)

    def _there(self, wanted: Locator, what: str) -> None:
        try:
            wanted.wait_for(timeout=PATIENCE_MS)
        except PageTimeoutError:
            raise AssertionError(
                f"{self.page.url} does not show {what}, but:\n{self.text()}"
            ) from None


@contextlib.contextmanager
def browser(url: str) -> Iterator[Browser]:
    """A Chromium that shows the server at `url`, and asks nobody else for anything."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise RuntimeError("There is no Chromium; scripts/need_chromium.sh installs it.")
    with sync_playwright() as playwright:
        # The sandbox cannot be had in most containers; nothing here is a stranger's page.
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(PATIENCE_MS)
        page.route("**/*", _stay_at_home)
        yield Browser(page, url)
        chromium.close()


def _stay_at_home(route: Route) -> None:
    url = urlsplit(route.request.url)
    if url.hostname in ("127.0.0.1", "localhost") or url.scheme in ("data", "blob"):
        route.continue_()
    elif "/PrefectHQ/prefect/" in url.path and "/block-logos/" in url.path:
        # A logo of Prefect's own; here another stands for it.
        route.fulfill(path=LOGO)
    else:
        route.abort()


def main(arguments: list[str] | None = None) -> int:
    """Takes the pictures of the documentation."""
    parser = argparse.ArgumentParser(description="Takes the pictures of Prefect's UI in docs/.")
    parser.add_argument("--output", type=Path, default=ROOT / "docs", help="where they go")
    output: Path = parser.parse_args(arguments).output
    output.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(ROOT))
    from tests.flows.ui.home import KIT, prefect_at_home

    with (
        tempfile.TemporaryDirectory() as folder,
        prefect_at_home(Path(folder)) as home,
        home.serving(),
        browser(home.url) as ui,
    ):
        ui.open_form(home.deployment("create-ads")["id"])
        ui.field("Run Name").fill("Summer, iced")
        ui.choose(KIT)
        ui.click("Add item")
        ui.field("Prompt (Optional)").fill("Iced, in the first light of the harbour")
        ui.field("Product (Optional)").fill("Cold Brew Kit | Morning Tide Espresso")
        ui.field("Audience (Optional)").fill("*")
        ui.take(output / "ui_form.png")
        home.ended(ui.submit())

        # A path that reads well in the pictures; git does not look at it.
        spring = ROOT / "demo" / "spring"
        shutil.rmtree(spring, ignore_errors=True)
        spring.mkdir(parents=True)
        run = home.start(
            "campaign", spreadsheet="examples/campaign.csv", output="demo/spring/results.csv"
        )
        home.ended(run)
        ui.open(f"{UI}/runs/flow-run/{run}?tab=Artifacts", "Completed", "-pictures")
        ui.take(output / "ui_run.png")
        pictures = home.artifacts(run)["pictures"]
        ui.open(f"{UI}/artifacts/artifact/{pictures['id']}", "Row 2")
        ui.pictures()
        ui.take(output / "ui_pictures.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
