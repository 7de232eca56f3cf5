"""Image ads: jobs whose fate is sealed when they begin, their versions, and how they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.simulator.model.uploads import Upload

PRICES: Final = {False: ("flat_image_ad", Decimal(1)), True: ("editable_image_ad", Decimal(4))}

STEPS: Final = (
    (0.0, "queued", "Waiting for a renderer"),
    (0.1, "copy", "Writing the copy"),
    (0.4, "images", "Making the pictures"),
    (0.7, "layout", "Filling the template"),
    (0.9, "render", "Rendering in 4K"),
)


@dataclass
class Rendering:
    """One rendering of an ad, which becomes a version if it succeeds."""

    version_id: str
    number: int
    started: float
    seconds: float
    fails: bool
    tree: dict[str, Any] | None = None
    given: Upload | None = None

    def share_done(self, now: float) -> float:
        return min(1.0, (now - self.started) / self.seconds) if self.seconds else 1.0

    def status(self, now: float) -> str:
        if self.share_done(now) < 1:
            return "processing"
        return "failed" if self.fails else "completed"


@dataclass
class Job:
    """An image ad and all of its renderings."""

    id: str
    body: dict[str, Any]
    created: float
    width: int
    height: int
    renderings: list[Rendering] = field(default_factory=list)
    idempotency_key: str | None = None
    first_figma_render: str | None = None

    @property
    def present(self) -> Rendering:
        """The rendering that counts."""
        return self.renderings[-1]

    @property
    def seconds(self) -> float:
        """How long the first rendering takes."""
        return self.renderings[0].seconds

    @property
    def fails(self) -> bool:
        """Whether the first rendering fails."""
        return self.renderings[0].fails

    @property
    def is_editable(self) -> bool:
        return bool(self.body.get("editable"))

    @property
    def price(self) -> Decimal:
        return PRICES[self.is_editable][1]

    def share_done(self, now: float) -> float:
        return self.present.share_done(now)

    def status(self, now: float) -> str:
        return self.present.status(now)

    def picture(self, rendering: Rendering) -> str:
        """Where a rendering's picture is."""
        name = self.id if rendering.number == 1 else rendering.version_id
        return f"/pictures/{name}.png"

    def resource(self, now: float) -> dict[str, Any]:
        """The ad as the API answers it."""
        body, present, status = self.body, self.present, self.status(now)
        done = status != "processing"
        completed = status == "completed"
        figma = [r for r in self.renderings if r.given is not None]
        # While it is rendered for the first time, there is no tree yet.
        has_tree = self.is_editable and (completed or len(self.renderings) > 1)
        return {
            "id": self.id,
            "design_template_id": body["design_template_id"],
            "brand_id": body["brand_id"],
            "product_id": body["product_id"],
            "audience_id": body["audience_id"],
            "product_variant_id": body.get("product_variant_id"),
            "prompt": body.get("prompt"),
            "options": body.get("options") or {"generate_ai_images": True, "generate_copy": True},
            "editable": self.is_editable,
            "sku_code": PRICES[self.is_editable][0],
            "status": status,
            "progress": None if done else current_step(present.share_done(now)),
            "image_url": self.picture(present) if completed else None,
            "width": self.width if completed else None,
            "height": self.height if completed else None,
            "current_json_tree": present.tree if has_tree else None,
            "figma_render_url": self.picture(figma[-1]) if figma else None,
            "initial_figma_render_url": self.picture(figma[0]) if figma else None,
            "error": failure() if status == "failed" else None,
            "duration_ms": round(present.seconds * 1000) if done else None,
            "batch_id": None,
            "created_at": timestamp(self.created),
            "completed_at": timestamp(present.started + present.seconds) if done else None,
        }

    def versions(self, now: float) -> list[dict[str, Any]]:
        """The renderings that succeeded, the newest first."""
        return [
            {
                "id": rendering.version_id,
                "image_ad_id": self.id,
                "version": rendering.number,
                "image_url": self.picture(rendering),
                "current_json_tree": rendering.tree,
                "created_at": timestamp(rendering.started),
            }
            for rendering in reversed(self.renderings)
            if rendering.status(now) == "completed"
        ]

    def age(self, seconds: float) -> None:
        """Makes all of it so many seconds older."""
        self.created -= seconds
        for rendering in self.renderings:
            rendering.started -= seconds


def current_step(share: float) -> Mapping[str, Any]:
    """The pipeline's progress when so much of the job is done."""
    _, step, message = [entry for entry in STEPS if entry[0] <= share][-1]
    return {"step": step, "message": message, "percentage": round(share, 2)}


def failure() -> dict[str, str]:
    """The error of a failed job."""
    return {"code": "PIPELINE_ERROR", "message": "The picture could not be composed."}


def timestamp(moment: float) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
