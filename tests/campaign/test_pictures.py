"""Pictures are downloaded under names that people find, once, and only if they are pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import stamina

from prefect_staticadslab import AdState, RowStatus
from prefect_staticadslab.campaign.pictures import download_pictures, picture_name
from prefect_staticadslab.campaign.problems import CampaignError
from prefect_staticadslab.campaign.run import Campaign
from tests.scripted import answer, scripted

PNG = (
    b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 12\r\n\r\n\x89PNG\r\n\x1a\nbody"
)


@pytest.mark.parametrize(
    ("script", "had"),
    [
        ([PNG], True),
        ([answer("no", 503), b"", PNG], True),
        ([answer("<html>gone</html>", 200)], False),
        ([answer("gone", 404)], False),
        ([PNG[:-3]], False),
    ],
)
async def test_a_picture_is_there_whole_or_not_at_all(
    tmp_path: Path, script: list[bytes], had: bool
) -> None:
    (tmp_path / "in.csv").write_text(
        "design_template_id,brand_id,product_id,audience_id\ndt_1,brand_1,prod_1,aud_1\n"
    )
    table = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).table
    folder = tmp_path / "new" / "pictures"
    async with scripted(script) as server:
        table.update(0, AdState(RowStatus.COMPLETED, "ia_1", f"{server.url}/1.png"))
        with stamina.set_testing(True, attempts=4):
            missing = await download_pictures(table, str(folder))
            assert missing == (0 if had else 1)
            asked = len(server.received)
            if had:
                await download_pictures(table, str(folder))
                assert len(server.received) == asked
        assert "x-api-key" not in server.received[0].headers
    name = picture_name(2, "prod_1", "ia_1")
    assert [f.name for f in folder.iterdir()] == ([name] if had else [])
    assert table.states[0].image_path == (str(folder / name) if had else None)


async def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "in.csv").write_text(
        "design_template_id,brand_id,product_id,audience_id\ndt_1,brand_1,prod_1,aud_1\n"
    )
    table = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).table
    with pytest.raises(CampaignError, match="There can be no folder"):
        await download_pictures(table, str(tmp_path / "file" / "sub"))
