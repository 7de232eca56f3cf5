"""A location that can be none is refused in words, and still has a name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.files import folders, locations, storage
from prefect_staticadslab.campaign.files.locations import folder_of

NO_USER, NO_URL, NO_NAME, TOO_LONG = "~nobody_x/a.csv", "http://[bad/a.csv", "a\0b.csv", "x" * 5000
BAD = [NO_USER, NO_URL, NO_NAME, TOO_LONG, "file://[/a.csv", "\ud800.csv"]


@pytest.mark.parametrize("location", BAD)
@pytest.mark.parametrize(
    "asked",
    [
        storage.read_bytes,
        storage.exists,
        folders.file_names,
        lambda location: storage.read_start(location, 1),
        lambda location: storage.write_bytes(location, b""),
    ],
)
def test_a_location_that_can_be_none_is_refused_in_words(
    location: str, asked: Callable[[str], object]
) -> None:
    with pytest.raises(StorageError) as refused:
        asked(location)
    said = str(refused.value)
    assert said.isprintable()
    assert len(said) < 2 * locations.LONGEST_SHOWN
    assert said.count("cannot be") <= 1


@pytest.mark.parametrize("location", [NO_USER, NO_NAME, TOO_LONG, "file://[/a.csv"])
def test_a_folder_that_can_be_none_is_refused_in_words(location: str) -> None:
    with pytest.raises(StorageError):
        storage.is_folder(location)
    with pytest.raises(StorageError):
        storage.check_target(f"{location}/a.csv")
    assert not storage.is_folder(NO_URL)


@pytest.mark.parametrize("location", BAD)
def test_a_location_that_can_be_none_still_has_a_name(tmp_path: Path, location: str) -> None:
    assert storage.name(location) == location.rpartition("/")[2]
    assert storage.suffix(location) == ("" if location == TOO_LONG else ".csv")
    assert storage.canonical(location) == storage.canonical(location)
    assert storage.with_ending(location, ".html").endswith(".html")
    assert storage.join(location, "b.png").endswith("b.png")
    assert isinstance(folder_of(location), str)


def test_a_file_may_be_named_like_a_home_folder_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "~nobody_x.png").write_bytes(b"1")
    assert storage.read_bytes(storage.join(str(tmp_path), "~nobody_x.png")) == b"1"


def test_no_message_shows_the_password_of_a_url_that_is_none() -> None:
    with pytest.raises(StorageError) as refused:
        storage.read_bytes("http://me:secret@[bad/a.csv?token=secret")
    assert "secret" not in str(refused.value)
