"""Design templates and revisions in drawn campaigns."""

from __future__ import annotations

import hashlib
import json
import random
import struct
import zlib
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

from prefect_staticadslab.campaign.job_types.design_templates import TemplateBatch
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.simulator.model.design_templates.template import TEMPLATE_PRICE
from prefect_staticadslab.simulator.model.settings import Settings
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI
from prefect_staticadslab.simulator.model.trees import texts
from tests.simulation.stories.job_kinds import Edit, JobKind, Made, Row

SIDE_PIXELS: Final = 400
"""Of reference pictures, which must not be too small."""


def _new_reference(number: int, chance: random.Random) -> Row:
    return {"reference": f"reference-{number}.png", "note": f"row {number}"}


def _open_templates(spreadsheet: str, output: str, url: str, name: str) -> TemplateBatch:
    folder = Path(spreadsheet).parent
    for line in Path(spreadsheet).read_text().splitlines()[1:]:
        name = line.split(",")[0]
        if not (folder / name).exists():
            (folder / name).write_bytes(_picture_named(name))
    return TemplateBatch.open(spreadsheet, output)


def _picture_named(name: str) -> bytes:
    return picture(int(name.removeprefix("reference-").removesuffix(".png")))


@cache
def picture(number: int) -> bytes:
    """A PNG of one colour, which is the number's."""
    line = b"\x00" + (number % 2**24).to_bytes(3, "big") * SIDE_PIXELS
    header = struct.pack(">IIBBBBB", SIDE_PIXELS, SIDE_PIXELS, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(line * SIDE_PIXELS)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
        for content, body in ((content, name + content) for name, content in parts)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _templates(api: SimulatedAPI) -> dict[str, Made]:
    return {
        identifier: Made(TEMPLATE_PRICE, None, api.files[identifier].digest)
        for identifier in api.templates
    }


@cache
def _headlines() -> tuple[tuple[str, str], ...]:
    """The editable ads that there are from before, and the node that has their headline."""
    api = SimulatedAPI(Settings(earlier_ads=True))
    return tuple(
        (identifier, _headline_of(job.renderings[0].tree)["id"])
        for identifier, job in api.jobs.items()
        if job.is_editable
    )


def _headline_of(tree: Any) -> dict[str, Any]:
    found: dict[str, Any] = next(n for n in tree["children"] if n["name"] == "Headline")
    return found


def _new_revision(number: int, chance: random.Random) -> Row:
    identifier, node = chance.choice(_headlines())
    change = {node: {"characters": f"headline {number}"}}
    return {"image_ad_id": identifier, "node_overrides": json.dumps(change)}


def _headline(row: Row) -> str:
    (change,) = json.loads(row["node_overrides"]).values()
    return str(change["characters"])


def _open_revisions(spreadsheet: str, output: str, url: str, name: str) -> Revisions:
    return Revisions.open(spreadsheet, output)


def _versions(api: SimulatedAPI) -> dict[str, Made]:
    return {
        rendering.version_id: Made(Decimal(0), None, texts(rendering.tree)[0][1])
        for job in api.jobs.values()
        for rendering in job.renderings[1:]
        if rendering.tree is not None
    }


TEMPLATES: Final = JobKind(
    "design_template_id",
    _new_reference,
    lambda row: float(TEMPLATE_PRICE),
    lambda row: hashlib.sha256(_picture_named(row["reference"])).hexdigest(),
    _open_templates,
    _templates,
    path="/v1/design-templates",
    edits=(Edit.SHUFFLE, Edit.ADD, Edit.REPEAT, Edit.MOVE),
    may_fail=False,
    may_grow_old=False,
)
REVISIONS: Final = JobKind(
    "image_ad_version_id",
    _new_revision,
    lambda row: 4.0,
    _headline,
    _open_revisions,
    _versions,
    edits=(Edit.ADD, Edit.MOVE),
    may_fail=False,
    may_grow_old=False,
    has_ids=False,
)
