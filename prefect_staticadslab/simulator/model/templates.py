"""Design templates that are made from reference images."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.simulator.model.image_ads import failure, timestamp
from prefect_staticadslab.simulator.model.uploads import Upload

TEMPLATE_PRICE: Final = Decimal("0.25")

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
    """A design template and its fate, which is sealed when it is created."""

    id: str
    fields: dict[str, Any]
    created: float
    seconds: float
    fails: bool
    reference: Upload | None = None

    def status(self, now: float) -> str:
        if now - self.created < self.seconds:
            return "processing"
        return "failed" if self.fails else "completed"

    def resource(self, now: float) -> dict[str, Any]:
        """The template as the API answers it."""
        status = self.status(now)
        done = status != "processing"
        reference = f"/files/{self.id}" if self.reference else None
        return {
            "id": self.id,
            "reference_image_url": reference,
            "status": status,
            "error": failure() if status == "failed" else None,
            "preview_url": f"/pictures/{self.id}.png" if status == "completed" else None,
            "duration_ms": round(self.seconds * 1000) if done else None,
            "created_at": timestamp(self.created),
            "updated_at": timestamp(self.created),
            **self.fields,
            "current_json_tree": self.fields["current_json_tree"] if done else None,
        }


def aspect_ratio(width: int, height: int) -> str:
    """The template's ratio that is next to a picture's."""
    return min(PIXELS, key=lambda r: abs(PIXELS[r][0] / PIXELS[r][1] - width / height))
