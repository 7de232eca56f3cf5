"""Attacks by size: what is small on disk, and large to whoever reads it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from prefect_staticadslab import bounds
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.images import ImageFileError, read_image
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from tests.security.input import large_files
from tests.support.processes import run

MOST_MEGABYTES = 1000

READ_ALL = """
import json, resource, sys
from pathlib import Path
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.images import read_image
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet

# What asks for more than the machine has ends this process, and not the machine.
resource.setrlimit(resource.RLIMIT_AS, (6_000_000_000, 6_000_000_000))
for place in sys.argv[1:]:
    try:
        read_image(place) if place.endswith(".png") else read_spreadsheet(place)
        told = "it was read"
    except CampaignError as error:
        told = str(error)[:500]
    # Not getrusage, which begins with what the parent process has taken.
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    print(json.dumps([told, int(status["VmHWM"].split()[0]) / 1000]), flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is told by Linux")
def test_whatever_is_too_large_is_refused_within_a_gigabyte(tmp_path: Path) -> None:
    attacks = large_files.write(tmp_path)
    assert max(path.stat().st_size for path, _ in attacks if path.suffix == ".xlsx") < 2_000_000
    done = run("-c", READ_ALL, *(str(path) for path, _ in attacks), env=os.environ)
    told = [json.loads(line) for line in done.out.splitlines()]
    assert len(told) == len(attacks), done.err
    seen = zip(attacks, told, strict=True)
    assert [(path.name, said) for (path, says), (said, _) in seen if says not in said] == []
    assert max(peak for _, peak in told) < MOST_MEGABYTES


def test_a_picture_of_8k_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(large_files.png(7680, 4320))
    assert read_image(str(tmp_path / "a.png")).media_type == "image/png"


def test_a_table_at_its_bounds_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "a.csv"
    place.write_text("a,b\n1,2\n3,4\n")
    monkeypatch.setattr("prefect_staticadslab.campaign.files.formats.text.TABLE_CELLS", 6)
    assert len(read_spreadsheet(str(place)).frame) == 2
    monkeypatch.setattr("prefect_staticadslab.campaign.files.formats.text.TABLE_CELLS", 5)
    with pytest.raises(CampaignError, match="more than 5 cells"):
        read_spreadsheet(str(place))


def test_a_sheet_whose_size_is_told_wrongly_is_read_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "a.xlsx"
    place.write_bytes(large_files.workbook(large_files.HEAD, sheet_head=""))
    said = large_files.workbook(large_files.HEAD)
    wrong = said.replace(b"<sheetData>", b'<dimension ref="A1:A1"/><sheetData>')
    place.write_bytes(wrong if wrong != said else said)
    assert read_spreadsheet(str(place)).frame["prompt"].tolist() == ["Hello"]


def test_pictures_are_decoded_a_few_at_a_time() -> None:
    from prefect_staticadslab.campaign.files import images

    assert images._decoding._initial_value == bounds.DECODED_PICTURES  # type: ignore[attr-defined]
    assert bounds.DECODED_PICTURES * bounds.PICTURE_PIXELS * 4 < MOST_MEGABYTES * 1_000_000


def test_a_picture_is_one_of_the_kinds_that_the_api_takes(tmp_path: Path) -> None:
    """Pillow knows dozens of formats, and a decoder that nobody needs is one that can be broken."""
    from PIL import Image

    place = tmp_path / "a.png"
    Image.new("RGB", (9, 9)).save(place, "TIFF")
    with pytest.raises(ImageFileError, match="is no PNG, JPEG, WebP or GIF"):
        read_image(str(place))
