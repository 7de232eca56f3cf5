"""The job of an image ad: its renderings, its versions, and how the API answers it.

How long a rendering takes and whether it fails is known from the start; what is answered follows
from the time alone, so nothing runs in the background.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.simulator.model.clock import timestamp
from prefect_staticadslab.simulator.model.errors import job_failure
from prefect_staticadslab.simulator.model.uploads import Upload

PRICES: Final = {False: ("flat_image_ad", Decimal(1)), True: ("editable_image_ad", Decimal(4))}

SECONDS: Final = (30.0, 60.0)
"""How long a rendering takes, at least and at most."""

WAITING_SHARE: Final = 0.1
"""Of a job's time, in which it is `pending` for the queue."""

STEPS: Final = (
    (0.0, "queued", "Waiting for a renderer"),
    (WAITING_SHARE, "copy", "Writing the copy"),
    (0.4, "images", "Making the pictures"),
    (0.7, "layout", "Filling the template"),
    (0.9, "render", "Rendering in 4K"),
)


@dataclass
class Rendering:
    """One rendering of an ad, which becomes a version if it succeeds.

    Attributes:
        version_id: The version that it becomes.
        number: The first one is 1.
        started: When it began.
        seconds: How long it takes.
        fails: Whether it will fail.
        tree: What is rendered; None for a flat ad.
        figma_render: The picture, if it was made in Figma.
        job_id: The job that renders it; None if it was made in Figma.
    """

    version_id: str
    number: int
    started: float
    seconds: float
    fails: bool
    tree: dict[str, Any] | None = None
    figma_render: Upload | None = None
    job_id: str | None = None

    def share_done(self, now: float) -> float:
        """How much of it is done, from 0 to 1."""
        return min(1.0, (now - self.started) / self.seconds) if self.seconds else 1.0

    def status(self, now: float) -> str:
        """`processing`, and later `completed` or `failed`."""
        if self.share_done(now) < 1:
            return "processing"
        return "failed" if self.fails else "completed"


@dataclass
class RenderedAd:
    """An image ad and all of its renderings.

    Attributes:
        id: Its id.
        body: What it was created from.
        created: When.
        width, height: What it is drawn in, in pixels.
        picture_scale: How many times larger than that its pictures are.
        renderings: What was rendered of it, the first one first.
        idempotency_key: What its create was sent with.
    """

    id: str
    body: dict[str, Any]
    created: float
    width: int
    height: int
    picture_scale: float = 1.0
    renderings: list[Rendering] = field(default_factory=list)
    idempotency_key: str | None = None

    @property
    def latest(self) -> Rendering:
        """The latest rendering, which decides the job's status."""
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

    @property
    def options(self) -> dict[str, bool] | None:
        """The create's options, true unless they were switched off; None if it had none."""
        chosen = self.body.get("options")
        if chosen is None:
            return None
        return {n: chosen.get(n) is not False for n in ("generate_ai_images", "generate_copy")}

    def share_done(self, now: float) -> float:
        """How much of the latest rendering is done, from 0 to 1."""
        return self.latest.share_done(now)

    def status(self, now: float) -> str:
        """The latest rendering's."""
        return self.latest.status(now)

    @property
    def picture_size(self) -> tuple[int, int]:
        """The width and height of its pictures, in pixels."""
        return round(self.width * self.picture_scale), round(self.height * self.picture_scale)

    def picture_path(self, rendering: Rendering) -> str:
        """The path of a rendering's picture."""
        name = self.id if rendering.number == 1 else rendering.version_id
        return f"/pictures/{name}.png"

    def resource(self, now: float) -> dict[str, Any]:
        """The ad as the API answers it."""
        body, latest, status = self.body, self.latest, self.status(now)
        done = status != "processing"
        completed = status == "completed"
        from_figma = [self.picture_path(r) for r in self.renderings if r.figma_render is not None]
        # While it is rendered for the first time, there is no tree yet.
        has_tree = self.is_editable and (completed or len(self.renderings) > 1)
        return {
            "id": self.id,
            "job_id": next(r.job_id for r in reversed(self.renderings) if r.job_id),
            "design_template_id": body["design_template_id"],
            "brand_id": body["brand_id"],
            "product_id": body["product_id"],
            "audience_id": body["audience_id"],
            "product_variant_id": body.get("product_variant_id"),
            "prompt": body.get("prompt"),
            "options": self.options,
            "editable": self.is_editable,
            "sku_code": PRICES[self.is_editable][0],
            "status": status,
            "progress": None if done else current_step(latest.share_done(now)),
            "image_url": self.picture_path(latest) if completed else None,
            "width": self.picture_size[0] if completed else None,
            "height": self.picture_size[1] if completed else None,
            "current_json_tree": latest.tree if has_tree else None,
            "figma_render_url": from_figma[-1] if from_figma else None,
            "initial_figma_render_url": from_figma[0] if from_figma else None,
            "error": job_failure() if status == "failed" else None,
            "duration_ms": round(latest.seconds * 1000) if done else None,
            "batch_id": None,
            "created_at": timestamp(self.created),
            "completed_at": timestamp(latest.started + latest.seconds) if done else None,
        }

    def job_resource(self, rendering: Rendering, now: float) -> dict[str, Any]:
        """The job of a rendering as the API answers it."""
        share, status = rendering.share_done(now), rendering.status(now)
        ended = rendering.started + rendering.seconds if status != "processing" else None
        began = rendering.started + rendering.seconds * WAITING_SHARE
        is_waiting = share < WAITING_SHARE
        return {
            "job_id": rendering.job_id,
            "type": "image_ad" if rendering.number == 1 else "image_ad_render",
            "status": "pending" if is_waiting else status,
            "progress": share,
            "result": {"image_ad_id": self.id} if status == "completed" else None,
            "error": job_failure()["message"] if status == "failed" else None,
            "created_at": timestamp(rendering.started),
            "started_at": None if is_waiting else timestamp(began),
            "completed_at": timestamp(ended) if ended else None,
            "updated_at": timestamp(ended or now),
        }

    def versions(self, now: float) -> list[dict[str, Any]]:
        """The renderings that succeeded, the newest first."""
        return [
            {
                "id": rendering.version_id,
                "image_ad_id": self.id,
                "version": rendering.number,
                "image_url": self.picture_path(rendering),
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
    """The `progress` of a job of which this share is done."""
    _, step, message = [entry for entry in STEPS if entry[0] <= share][-1]
    return {"step": step, "message": message, "percentage": round(share, 2)}
