"""Pictures from a scripted server, and tables of completed ads that name them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import stamina
from PIL import Image

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.pictures.picture_report import Pictures
from prefect_staticadslab.campaign.pictures.pictures import download_pictures
from tests.support.scripted import Scripted, scripted


def picture(kind: str = "PNG", size: tuple[int, int] = (1200, 900), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    shades = Image.linear_gradient("L").resize(size)
    shades.convert(mode).save(out, kind)
    return out.getvalue()


PNG, JPEG = picture(), picture("JPEG")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n"


def sent(body: bytes, length: int | None = None) -> bytes:
    said = len(body) if length is None else length
    return HEAD + f"content-length: {said}\r\n\r\n".encode() + body


def table_of(folder: Path, *titles: str, output: str = "") -> ImageAdTable:
    lines = [f"dt_1,brand_1,prod_1,aud_1,prompt {i},{t}" for i, t in enumerate(titles)]
    header = "design_template_id,brand_id,product_id,audience_id,prompt,Title"
    (folder / "in.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return Campaign.open(str(folder / "in.csv"), output or str(folder / "out.csv")).table


def complete(table: ImageAdTable, url: str) -> None:
    for position in range(len(table.rows)):
        ad = f"ia_{position + 1}"
        table.update(position, JobState(RowStatus.COMPLETED, ad, f"{url}/{ad}.png", attempts=1))


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


NAME, SMALL = "0002-Shirt-ia_1.png", "thumbnails/0002-Shirt-ia_1.jpg"


async def downloaded(
    tmp_path: Path, script: Sequence[bytes], **options: Any
) -> tuple[Pictures, ImageAdTable, Scripted]:
    """One picture from a scripted server into `pictures`."""
    table = table_of(tmp_path, "Shirt")
    async with scripted(script) as server:
        complete(table, server.url)
        with stamina.set_testing(True, attempts=4):
            had = await download_pictures(table, str(tmp_path / "pictures"), **options)
        await asyncio.sleep(0.02)  # the server sees that its connections are closed
    return had, table, server
