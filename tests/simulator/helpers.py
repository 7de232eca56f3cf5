"""What the simulator's tests share: pictures, uploads, and ads that have come to their end."""

from __future__ import annotations

import io
from typing import Any

import httpx
from PIL import Image, ImageChops

from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import simulated_ids

DAY = 24 * 3600.0


def picture(color: str = "teal", size: tuple[int, int] = (80, 100), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind)
    return out.getvalue()


def upload(api: httpx.Client, content: bytes, name: str = "a.png", **fields: str) -> httpx.Response:
    files = {"file": (name, content, "image/png")}
    return api.post("/v1/images", files=files, data={"image_type": "product", **fields})


def ended(simulator: SimulatorServer, api: httpx.Client, path: str) -> Any:
    """What is at `path` once all jobs have ended."""
    simulator.api.age(DAY)
    return api.get(path).json()["data"]


def editable_ad(simulator: SimulatorServer, api: httpx.Client, **fields: Any) -> Any:
    body = {**simulated_ids(), "editable": True, "prompt": "Now", **fields}
    created = api.post("/v1/image-ads", json=body).json()["data"]
    assert created["current_json_tree"] is None
    return ended(simulator, api, f"/v1/image-ads/{created['id']}")


def with_text(tree: dict[str, Any], characters: str) -> dict[str, Any]:
    children = [
        {**child, "characters": characters} if child["name"] == "Headline" else child
        for child in tree["children"]
    ]
    return {**tree, "children": children}


def differ(one: bytes, other: bytes) -> bool:
    first, second = (Image.open(io.BytesIO(png)).convert("RGB") for png in (one, other))
    return ImageChops.difference(first, second).getbbox() is not None
