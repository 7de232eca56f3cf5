"""Whatever is wrong with what the command is given: a clear message, status 2, and nothing lost."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from prefect_staticadslab import bounds
from prefect_staticadslab.cli.commands.campaign import main
from tests.support import processes

HEADER = "design_template_id,brand_id,product_id,audience_id,prompt"
ROW = "dt_1,brand_1,prod_1,aud_1,Hello"
GOOD = f"{HEADER}\n{ROW}\n"

Tell = Callable[..., str]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAL_API_KEY", "sal_live_x")
    monkeypatch.setenv("SAL_BASE_URL", "http://127.0.0.1:9")


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Runs the command, which must refuse, and returns what it says."""

    def run(spreadsheet: str | Path, *options: str, output: str | Path | None = None) -> str:
        before = {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
        assert main([str(spreadsheet), str(output or tmp_path / "out.csv"), *options]) == 2
        told = capsys.readouterr()
        assert told.err.startswith("Nothing was created.\n")
        assert "Traceback" not in told.err
        assert len(told.err) < 2000
        assert {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()} == before
        return told.err.removeprefix("Nothing was created.\n").strip()

    return run


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "The file is empty", id="empty file"),
        pytest.param(HEADER, "a header and no rows", id="header only"),
        pytest.param(
            f"{HEADER},prompt\n{ROW},x\n",
            "Row 1, column prompt: there are two columns of this name",
            id="a column twice",
        ),
        pytest.param(
            f"{HEADER},Prompt\n{ROW},x\n",
            "is there twice, as 'prompt' and 'Prompt'",
            id="a column twice, under another case",
        ),
        pytest.param(
            f'{GOOD}dt_1,brand_1,prod_1,aud_1,"Hel\nlo\n',
            "Row 3: a quote is opened",
            id="a quote that is never closed",
        ),
        pytest.param(f"{GOOD}{ROW},x\n", "Row 3: has 6 cells, but the header has 5", id="too many"),
        pytest.param(f"{GOOD}dt_1,brand_1\n", "Row 3: has 2 cells", id="too few"),
        pytest.param(
            f"{GOOD}dt_1,brand_1,prod_1,aud_1,{'x' * 50_000_000}\n",
            "Row 3: a cell has more than 1,000,000 characters",
            id="a cell of 50 MB",
        ),
        pytest.param(
            "name;price\nTea;3\n", "The column design_template_id is missing", id="no campaign"
        ),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00", "no spreadsheet", id="a picture"),
        pytest.param(GOOD.encode("utf-16")[:-1], "says that it is utf-16", id="half UTF-16"),
    ],
)
def test_a_text_file(tmp_path: Path, refused: Tell, content: str | bytes, says: str) -> None:
    place = tmp_path / "in.csv"
    place.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert says in refused(place)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_separators_and_encodings_are_no_mistake(
    tmp_path: Path, delimiter: str, encoding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD.replace("Hello", "Größe é").replace(",", delimiter)
    if encoding == "utf-16-le":
        text = "\ufeff" + text
    (tmp_path / "in.csv").write_bytes(text.encode(encoding))
    arguments = [str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "--dry-run", "--no-preflight"]
    assert main(arguments) == 0
    assert "To create:         1" in capsys.readouterr().out


def book(*lines: list[Any], **sheets: list[list[Any]]) -> Workbook:
    made = Workbook()
    first = made.worksheets[0]
    for line in lines:
        first.append(line)
    for name, more in sheets.items():
        sheet = made.create_sheet(name)
        for line in more:
            sheet.append(line)
    return made


NAMES, CELLS = HEADER.split(","), ROW.split(",")


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[[Workbook], Path]:
    def save(made: Workbook) -> Path:
        made.save(tmp_path / "in.xlsx")
        return tmp_path / "in.xlsx"

    return save


Save = Callable[[Workbook], Path]


def test_sheets_that_are_not_there_are_told_with_those_that_are(
    workbook: Save, refused: Tell
) -> None:
    place = workbook(book(["notes"], ["nothing here"], Herbst=[NAMES, CELLS]))
    assert refused(place, "--sheet", "Winter") == (
        "There is no sheet 'Winter'. There are: Sheet, Herbst. Name one with --sheet NAME, or "
        "hide the others."
    )
    dry = [str(place), str(place.with_name("out.csv")), "--dry-run", "--no-preflight"]
    assert main([*dry, "--sheet", "Herbst"]) == 0


def test_a_title_in_merged_cells_is_no_mistake(
    workbook: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    made = book(["Campaign"], NAMES, CELLS)
    made.worksheets[0].merge_cells("A1:E1")
    place = workbook(made)
    dry = [str(place), str(place.with_name("out.csv")), "--dry-run", "--no-preflight"]
    assert main(dry) == 0
    assert "Read as:           row 1 above the columns' names, left out" in capsys.readouterr().out


def test_formulas_that_nobody_computed(workbook: Save, refused: Tell) -> None:
    place = workbook(book(NAMES, CELLS, [*CELLS[:4], "=A1&B1"]))
    told = refused(place)
    assert told.startswith("Row 3, column E: holds a formula whose value was never saved.")


def test_cells_that_are_too_long(workbook: Save, refused: Tell) -> None:
    place = workbook(book(NAMES, CELLS))
    made = book(NAMES, [*CELLS[:4], "x"])
    made.worksheets[0]["E2"].value = "x" * 30_000
    place = workbook(made)
    content = place.read_bytes()
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            part = old.read(name).replace(b"x" * 30_000, b"x" * 50_000_000)
            new.writestr(name, part, zipfile.ZIP_DEFLATED)
    place.write_bytes(out.getvalue())
    assert refused(place) == "Row 2, column prompt: has more than 1,000,000 characters."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty"),
        (b"PK\x03\x04 and then nothing", "no workbook, such as an .xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a broken one"),
    ],
    ids=["empty", "a broken ZIP", "an old file that is broken"],
)
def test_an_xlsx_that_is_none(tmp_path: Path, refused: Tell, content: bytes, says: str) -> None:
    (tmp_path / "in.xlsx").write_bytes(content)
    assert says in refused(tmp_path / "in.xlsx")


def test_an_xlsx_that_was_cut(tmp_path: Path, workbook: Save, refused: Tell) -> None:
    place = workbook(book(NAMES, *[CELLS] * 50))
    place.write_bytes(place.read_bytes()[:-200])
    assert "a broken one" in refused(place)


def test_places_that_hold_no_spreadsheet(tmp_path: Path, refused: Tell) -> None:
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder" in refused(tmp_path / "folder.csv")
    assert "There is no file" in refused(tmp_path / "none.csv")


@pytest.fixture
def silent_server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/in.csv"


def test_a_url_that_does_not_answer(
    refused: Tell, silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "READ_SECONDS", 0.3)
    assert "cannot be had (ReadTimeout" in refused(silent_server)
    assert "cannot be had (ConnectError" in refused("http://127.0.0.1:9/in.csv")


def test_outputs_that_cannot_be(tmp_path: Path, refused: Tell) -> None:
    place = tmp_path / "in.csv"
    place.write_text(GOOD)
    (tmp_path / "link.csv").symlink_to(place)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "mine.csv").write_text("my,own\n1,2\n")
    (tmp_path / "mine.xlsx").write_bytes(b"my own")
    for output, says in {
        "in.csv": "is the spreadsheet itself",
        "link.csv": "is the spreadsheet itself",
        "folder.csv": "is a folder",
        "none/out.csv": "There is no folder",
        "mine.csv": "is not a result table of this program",
        "mine.xlsx": "exists, and cannot be read, so it is left alone: The spreadsheet has a",
        "out.pdf": "must end in one of",
    }.items():
        assert says in refused(place, output=tmp_path / output)


@pytest.mark.skipif(os.name == "nt", reason="a folder's rights are POSIX")
def test_a_folder_that_may_not_be_written_to() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "in.csv").write_text(GOOD)
        folder.chmod(0o555)
        nobody = (
            "import os, sys; from prefect_staticadslab.cli.commands.campaign import main; "
            "os.getuid() or os.setuid(65534); "
            "sys.exit(main(sys.argv[1:]))"
        )
        places = (str(folder / "in.csv"), str(folder / "out.csv"))
        done = processes.run("-c", nobody, *places, env={**os.environ, "PREFECT_HOME": str(folder)})
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert (done.status, "cannot be written to" in done.err) == (2, True), done.err
