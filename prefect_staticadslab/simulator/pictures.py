"""Pictures that show what was asked for: brand, product, prompt, audience and size."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from prefect_staticadslab.simulator.catalog import Catalog
from prefect_staticadslab.simulator.world import Job

MARGIN: Final = 72


def draw_picture(job: Job, catalog: Catalog) -> bytes:
    """The PNG of a finished job."""
    brand = catalog.brands[job.body["brand_id"]]
    product = catalog.products[job.body["product_id"]]
    audience = catalog.audiences[job.body["audience_id"]]
    template = catalog.design_templates[job.body["design_template_id"]]
    variant = catalog.product_variants.get(job.body.get("product_variant_id") or "")
    dark, accent, light = brand["color_palettes"][0]["colors"]
    inverted = template["ad_format"] in ("Bold", "Product")
    ground, ink = (dark, light) if inverted else (light, dark)

    picture = Image.new("RGB", (job.width, job.height), ground)
    draw = ImageDraw.Draw(picture)
    _backdrop(draw, job, template["ad_format"], accent)
    _pack(draw, job, product["name"], dark, accent, light)

    draw.text((MARGIN, MARGIN), brand["name"].upper(), font=_font(34), fill=ink)
    _tag(draw, (job.width - MARGIN, MARGIN - 10), template["ad_format"], accent, dark)

    top = int(job.height * 0.56)
    for line in _wrapped(product["name"], _font(92), job.width - 2 * MARGIN)[:2]:
        draw.text((MARGIN, top), line, font=_font(92), fill=ink)
        top += 102
    prompt = " ".join(str(job.body.get("prompt") or "").split())
    for line in _wrapped(prompt, _font(40), job.width - 2 * MARGIN)[:4]:
        draw.text((MARGIN, top + 12), line, font=_font(40), fill=ink)
        top += 52
    facts = [audience["name"], *([variant["name"]] if variant else [])]
    facts.append(f"{job.width} x {job.height}")
    foot = job.height - MARGIN - 30
    draw.text((MARGIN, foot), "   |   ".join(facts), font=_font(30), fill=ink)
    draw.text(
        (job.width - MARGIN, foot), f"SIMULATED {job.id[-6:]}", font=_font(24), fill=ink, anchor="ra"
    )
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _backdrop(draw: ImageDraw.ImageDraw, job: Job, ad_format: str, accent: str) -> None:
    width, height = job.width, job.height
    match ad_format:
        case "Sale":
            draw.polygon([(0, 0), (width, 0), (width, height * 0.34), (0, height * 0.52)], accent)
        case "Testimonial":
            draw.ellipse([width * 0.1, -width * 0.42, width * 0.9, width * 0.66], accent)
        case "Product":
            draw.rectangle([0, height * 0.18, width, height * 0.5], accent)
        case _:
            radius = width * 0.38
            draw.ellipse(
                [width * 0.72 - radius, height * 0.28 - radius,
                 width * 0.72 + radius, height * 0.28 + radius],
                accent,
            )


def _pack(
    draw: ImageDraw.ImageDraw, job: Job, name: str, dark: str, accent: str, light: str
) -> None:
    """A package with the product's initials, so that products differ at a glance."""
    center, middle = job.width * 0.5, job.height * 0.33
    half_width, half_height = job.width * 0.15, job.height * 0.16
    box = [center - half_width, middle - half_height, center + half_width, middle + half_height]
    draw.rounded_rectangle(box, radius=36, fill=light, outline=dark, width=6)
    draw.rounded_rectangle(
        [box[0] + 40, box[1] - 34, box[2] - 40, box[1] + 6], radius=14, fill=dark
    )
    initials = "".join(word[0] for word in name.split() if word[0].isalpha())[:3].upper()
    draw.text((center, middle), initials, font=_font(110), fill=dark, anchor="mm")


def _tag(
    draw: ImageDraw.ImageDraw, corner: tuple[float, float], text: str, accent: str, dark: str
) -> None:
    right, top = corner
    width = draw.textlength(text, font=_font(32)) + 48
    draw.rounded_rectangle([right - width, top, right, top + 60], radius=30, fill=accent)
    draw.text((right - width / 2, top + 30), text, font=_font(32), fill=dark, anchor="mm")


@lru_cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _wrapped(text: str, font: Any, width: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines
