"""Pictures that show what was asked for: brand, product, prompt, audience and size."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from prefect_staticadslab.simulator.catalog import Catalog
from prefect_staticadslab.simulator.world import Job

MARGIN: Final = 72
INVERTED: Final = ("Bold", "Product")
"""Formats that stand light on dark."""


def draw_picture(job: Job, catalog: Catalog) -> bytes:
    """The PNG of a finished job."""
    brand = catalog.brands[job.body["brand_id"]]
    product = catalog.products[job.body["product_id"]]
    audience = catalog.audiences[job.body["audience_id"]]
    ad_format = catalog.design_templates[job.body["design_template_id"]]["ad_format"]
    variant = catalog.product_variants.get(job.body.get("product_variant_id") or "")
    dark, accent, light = brand["color_palettes"][0]["colors"]
    ground, ink = (dark, light) if ad_format in INVERTED else (light, dark)

    picture = _ground(job.width, job.height, ground, accent)
    draw = ImageDraw.Draw(picture)
    _backdrop(draw, job, ad_format, accent)
    _pack(draw, job, product["name"], (dark, accent, light))

    draw.text((MARGIN, MARGIN), brand["name"].upper(), font=_font(36), fill=ink, stroke_width=1)
    _pill(draw, (job.width - MARGIN, MARGIN + 20), ad_format, ink, ground)

    top = int(job.height * 0.6)
    width = job.width - 2 * MARGIN
    for line in _wrapped(product["name"], _font(88), width)[:2]:
        draw.text((MARGIN, top), line, font=_font(88), fill=ink, stroke_width=2)
        top += 100
    top += 18
    prompt = " ".join(str(job.body.get("prompt") or "").split())
    for line in _wrapped(prompt, _font(42), width)[: max(1, (job.height - top - 190) // 54)]:
        draw.text((MARGIN, top), line, font=_font(42), fill=ink)
        top += 54

    facts = [audience["name"], *([variant["name"]] if variant else [])]
    foot = job.height - MARGIN - 30
    draw.text((MARGIN, foot), "  ·  ".join(facts), font=_font(32), fill=ink)
    mark = f"SIMULATED  {job.width} x {job.height}"
    draw.text((job.width - MARGIN, foot + 6), mark, font=_font(24), fill=ink, anchor="ra")
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _ground(width: int, height: int, ground: str, accent: str) -> Image.Image:
    """A ground that takes on a little of the accent towards its foot."""
    shades = Image.linear_gradient("L").resize((width, height)).point(lambda v: v // 7)
    return Image.composite(
        Image.new("RGB", (width, height), accent), Image.new("RGB", (width, height), ground), shades
    )


def _backdrop(draw: ImageDraw.ImageDraw, job: Job, ad_format: str, accent: str) -> None:
    width, height = job.width, job.height
    match ad_format:
        case "Sale":
            draw.polygon([(0, 0), (width, 0), (width, height * 0.36), (0, height * 0.54)], accent)
        case "Testimonial":
            draw.ellipse([width * 0.06, -width * 0.3, width * 0.94, width * 0.66], accent)
        case "Product":
            draw.rectangle([0, height * 0.16, width, height * 0.54], accent)
        case _:
            radius = min(width * 0.36, height * 0.25)
            middle = height * 0.33
            draw.ellipse(
                [width / 2 - radius, middle - radius, width / 2 + radius, middle + radius], accent
            )


def _pack(draw: ImageDraw.ImageDraw, job: Job, name: str, colors: tuple[str, str, str]) -> None:
    """A package with the product's initials, so that products differ at a glance."""
    dark, accent, light = colors
    center, middle = job.width * 0.5, job.height * 0.355
    half_width, half_height = job.width * 0.155, min(job.height * 0.17, job.width * 0.24)
    left, top, right, bottom = (
        center - half_width,
        middle - half_height,
        center + half_width,
        middle + half_height,
    )
    draw.rounded_rectangle([left + 44, top - 44, right - 44, top + 20], radius=18, fill=dark)
    draw.rounded_rectangle([left, top, right, bottom], radius=40, fill=light, outline=dark, width=7)
    draw.rectangle([left + 7, middle - 76, right - 7, middle + 76], fill=dark)
    initials = "".join(word[0] for word in name.split() if word[0].isalpha())[:3].upper()
    font, stroke = _font(104), 3
    draw.text((center, middle), initials, font=font, fill=light, anchor="mm", stroke_width=stroke)
    draw.rectangle([left + 60, bottom - 60, right - 60, bottom - 46], fill=accent)


def _pill(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, ground: str, ink: str
) -> None:
    right, middle = place
    left = right - draw.textlength(text, font=_font(32)) - 56
    draw.rounded_rectangle([left, middle - 32, right, middle + 32], radius=32, fill=ground)
    draw.text(((left + right) / 2, middle), text, font=_font(32), fill=ink, anchor="mm")


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
