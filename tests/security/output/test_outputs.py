"""Attacks on what is written: links, pipes, devices, and folders that others may write to."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.catalogue_tables.report import check_report, write_report
from prefect_staticadslab.campaign.errors import CampaignError, StorageError
from prefect_staticadslab.campaign.files import local_files, storage
from prefect_staticadslab.campaign.files.cells import frame_of
from prefect_staticadslab.campaign.inbox.notes import Note, write_note
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pictures.contact_sheet import write_contact_sheet
from prefect_staticadslab.campaign.pictures.folder import PictureFolder
from prefect_staticadslab.campaign.pictures.picture_zip import check_zip
from prefect_staticadslab.campaign.pictures.pictures import prepare_places
from prefect_staticadslab.campaign.pictures.preview.preview_page import check_preview
from prefect_staticadslab.cli.commands.campaign import main
from prefect_staticadslab.simulator import SimulatorServer
from tests.campaign.job_types.test_templates import picture
from tests.conftest import set_key, write_campaign

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and pipes are POSIX")

PRECIOUS = "mine\n"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A file that is not to be written, and whose folder can be."""
    home = tmp_path / "home"
    home.mkdir()
    return home / "authorized_keys"


def link(path: Path, keys: Path) -> None:
    keys.write_text(PRECIOUS)
    path.symlink_to(keys)


def dangling(path: Path, keys: Path) -> None:
    path.symlink_to(keys)


def chained(path: Path, keys: Path) -> None:
    keys.write_text(PRECIOUS)
    between = keys.with_name(f"{keys.name}-link")
    between.symlink_to(keys)
    path.symlink_to(between)


def pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def device(path: Path, _: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root may make a device")


def bound_socket(path: Path, _: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


TRAPS = [link, dangling, chained, pipe, device, bound_socket]
Trap = Callable[[Path, Path], None]


def untouched(keys: Path) -> bool:
    return keys.read_text() == PRECIOUS if keys.exists() else True


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("name", ["out.csv", "out.xlsx", "out.parquet"])
def test_the_command_refuses_such_a_table_before_anything_is_created(
    trap: Trap,
    name: str,
    keys: Path,
    tmp_path: Path,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_key(monkeypatch, simulator)
    trap(tmp_path / name, keys)
    assert main([write_campaign(tmp_path, "a"), str(tmp_path / name)]) == 2
    assert "nothing is written" in capsys.readouterr().err
    assert untouched(keys)
    assert not simulator.api.jobs


@pytest.mark.parametrize("trap", TRAPS)
def test_nothing_that_is_written_goes_through_it(trap: Trap, keys: Path, tmp_path: Path) -> None:
    """Whoever puts it there after everything was checked gets nothing for it."""
    place = tmp_path / "out.csv"
    trap(place, keys)
    with pytest.raises(StorageError):
        storage.write_bytes(str(place), b"ssh-ed25519 stranger")
    assert untouched(keys)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_a_link_that_comes_in_the_middle_of_a_write_is_replaced_and_not_followed(
    keys: Path, tmp_path: Path
) -> None:
    place = tmp_path / "out.csv"
    with local_files.open_replacement(place) as file:
        file.write(b"a,b\n")
        link(place, keys)
    assert untouched(keys)
    assert not place.is_symlink()
    assert place.read_bytes() == b"a,b\n"


@pytest.mark.parametrize("trap", TRAPS)
def test_no_contact_sheet_report_zip_or_note_goes_through_it(
    trap: Trap, keys: Path, tmp_path: Path
) -> None:
    table = Campaign.open(write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")).table
    traps = [
        "out.html",
        "plan.html",
        "all.zip",
        "catalog.xlsx",
        "brands.csv",
        ".inbox/a.csv.json",
    ]
    (tmp_path / ".inbox").mkdir()
    for name in traps:
        trap(tmp_path / name, keys.with_name(f"{name.replace('/', '-')}-keys"))
    frames = {"brands": frame_of(["name"], [["x"]])}
    writes: list[Callable[[], object]] = [
        lambda: write_contact_sheet(table, "title"),
        lambda: check_preview(str(tmp_path / "plan.html"), str(tmp_path / "out.csv")),
        lambda: check_zip(str(tmp_path / "all.zip")),
        lambda: check_report(str(tmp_path / "catalog.xlsx")),
        lambda: write_report(f"{tmp_path}/", frames),
        lambda: write_note(str(tmp_path), "a.csv", Note("file:///a.csv", "a-results.csv")),
    ]
    for write in writes:
        with pytest.raises(CampaignError):
            write()
    for name in traps:
        assert untouched(keys.with_name(f"{name.replace('/', '-')}-keys"))


def test_pictures_go_into_no_folder_behind_a_link(keys: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "summer-results.csv")
    (tmp_path / "summer-results-pictures").symlink_to(keys.parent)
    with pytest.raises(CampaignError, match="is a link to somewhere else"):
        prepare_places(str(tmp_path / "summer-results-pictures"), output=output)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "thumbnails").symlink_to(keys.parent)
    with (
        pytest.raises(CampaignError, match="is a link to somewhere else"),
        PictureFolder.open(str(tmp_path / "pictures")),
    ):
        raise AssertionError
    assert list(keys.parent.iterdir()) == []


def test_a_picture_that_is_a_link_counts_as_none(keys: Path, tmp_path: Path) -> None:
    keys.write_bytes(picture("red"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "0002-ia_1.png").symlink_to(keys)
    os.mkfifo(folder / "0003-ia_2.png")
    (folder / "0004-ia_3.png").write_bytes(picture("blue"))
    with PictureFolder.open(str(folder)) as opened:
        assert list(opened.pictures) == ["0004-ia_3.png"]


# Reading


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    place = str(tmp_path / "in.csv")
    os.mkfifo(place)
    reads: list[Callable[[], object]] = [
        lambda: storage.read_bytes(place),
        lambda: storage.read_start(place, 1),
    ]
    told: list[str] = []

    def read() -> None:
        for each in reads:
            with pytest.raises(StorageError) as refused:
                each()
            told.append(str(refused.value))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(timeout=60)
    assert [text.endswith("it is a named pipe, not a file.") for text in told] == [True, True]


@pytest.mark.parametrize("place", ["/dev/zero", "/dev/random", "/dev/tty", "/proc/self/mem"])
def test_a_device_is_not_read(place: str) -> None:
    with pytest.raises(StorageError):
        storage.read_bytes(place)


# Folders that others may use


def test_a_lock_that_somebody_keeps_stops_no_campaign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import fcntl

    monkeypatch.setattr(local_files, "LOCK_SECONDS", 0.05)
    table = Campaign.open(write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")).table
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        for attempt in (1, 2):
            table.update(0, JobState(RowStatus.SUBMITTING, attempts=attempt))
            table.save_now()
    finally:
        os.close(folder)
    assert "submitting" in (tmp_path / "out.csv").read_text()
    assert caplog.text.count("is locked by another program") == 1
    table.save_now()
    assert str(tmp_path) not in map(str, local_files._held_by_others)


def test_partial_files_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    theirs = [".movie.mkv.part", f".all.zip.{'0' * 32}.part", ".x.part", ".part"]
    ours = local_files.temporary_name("all.zip")
    for name in [*theirs, ours]:
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (0, 0))
    with PictureFolder.open(str(tmp_path)):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*theirs, "thumbnails"])


def test_a_new_file_has_the_rights_that_the_user_gives_and_an_old_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    before = os.umask(0o027)
    try:
        storage.write_bytes(str(tmp_path / "a.csv"), b"a")
        (tmp_path / "b.csv").write_bytes(b"b")
        (tmp_path / "b.csv").chmod(0o604)
        storage.write_bytes(str(tmp_path / "b.csv"), b"bb")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.csv", "b.csv")]
    assert modes == [0o640, 0o604]


def test_nobody_writes_with_the_process_rights_opened_for_a_moment() -> None:
    package = Path(storage.__file__).parents[2]
    assert [path for path in package.rglob("*.py") if "umask(" in path.read_text()] == []
