"""Design templates that are made from reference images."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.simulator.model.clock import timestamp
from prefect_staticadslab.simulator.model.errors import job_failure
from prefect_staticadslab.simulator.model.trees import template_tree
from prefect_staticadslab.simulator.model.uploads import Upload

TEMPLATE_PRICE: Final = Decimal("0.25")
TEMPLATE_SECONDS: Final = (6.0, 12.0)
"""How long one takes to be made, at least and at most."""

PIXELS: Final = {
    "1:1": (1080, 1080),
    "4:5": (1080, 1350),
    "9:16": (1080, 1920),
    "16:9": (1920, 1080),
}
INDUSTRIES: Final = ("ecommerce", "beauty", "food", "outdoor")
AD_FORMATS: Final = ("Bold", "Sale", "Testimonial", "Product")


@dataclass
class Template:
    """A design template that was made from a reference.

    Attributes:
        id: Its id.
        fields: What the reference decides and what updates change, as the API answers it.
        created: When it began to be made.
        seconds: How long that takes.
        fails: Whether it will fail.
    """

    id: str
    fields: dict[str, Any]
    created: float
    seconds: float
    fails: bool

    def status(self, now: float) -> str:
        """`processing`, and later `completed` or `failed`."""
        if now - self.created < self.seconds:
            return "processing"
        return "failed" if self.fails else "completed"

    def resource(self, now: float) -> dict[str, Any]:
        """The template as the API answers it."""
        status = self.status(now)
        done = status != "processing"
        return {
            "id": self.id,
            "reference_image_url": f"/files/{self.id}",
            "status": status,
            "error": job_failure() if status == "failed" else None,
            "preview_url": f"/pictures/{self.id}.png" if status == "completed" else None,
            "duration_ms": round(self.seconds * 1000) if done else None,
            "created_at": timestamp(self.created),
            "updated_at": timestamp(self.created),
            # After an update, its moment is among the fields, too.
            **self.fields,
            "current_json_tree": self.fields["current_json_tree"] if done else None,
        }


def fields_from_reference(identifier: str, reference: Upload) -> dict[str, Any]:
    """The fields of a template that its reference image decides, the same for the same image."""
    ratio = nearest_ratio(reference.width, reference.height)
    width, height = PIXELS[ratio]
    drawn = int(reference.digest[:8], 16)
    return {
        "width": width,
        "height": height,
        "aspect_ratio": ratio,
        "industry": INDUSTRIES[drawn % len(INDUSTRIES)],
        "ad_format": AD_FORMATS[drawn // len(INDUSTRIES) % len(AD_FORMATS)],
        "current_json_tree": template_tree(identifier, width, height),
        "json_tree_version": 1,
    }


def nearest_ratio(width: int, height: int) -> str:
    """The template's aspect ratio that is nearest to a picture's."""
    return min(PIXELS, key=lambda r: abs(PIXELS[r][0] / PIXELS[r][1] - width / height))
