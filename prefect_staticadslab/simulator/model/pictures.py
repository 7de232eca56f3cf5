"""Pictures that show what was asked for: brand, product, prompt, audience and size."""

from __future__ import annotations

import io
import random
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFont, ImageOps

from prefect_staticadslab.simulator.model import trees
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.image_ads.job import RenderedAd, Rendering
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

MARGIN: Final = 72
LONGEST_DRAWN: Final = 1000
"""Characters of one text; more of it could not be seen."""

LIGHT_ON_DARK: Final = ("Bold", "Product")
"""The ad formats whose texts are light on a dark background."""


def draw_picture(job: RenderedAd, rendering: Rendering, api: SimulatedAPI) -> bytes:
    """The PNG of a rendering: brand, product, audience, the texts of its tree, and the format."""
    catalogue = api.catalogue
    brand = catalogue.brands[job.body["brand_id"]]
    product = catalogue.products[job.body["product_id"]]
    audience = catalogue.audiences[job.body["audience_id"]]
    template = api.design_templates.get_even_deleted(job.body["design_template_id"], now())
    ad_format = template["ad_format"]
    variant = catalogue.product_variants.get(job.body.get("product_variant_id") or "")
    tree = rendering.tree or api.first_tree(job)
    dark, accent, light = _colors(brand)
    ground, ink = (dark, light) if ad_format in LIGHT_ON_DARK else (light, dark)

    picture = _background(job.width, job.height, ground, accent)
    draw = ImageDraw.Draw(picture)
    reference = api.files.get(template["id"])
    if reference is not None:
        _paste_reference(picture, reference.content)
    else:
        _draw_shape(draw, job, ad_format, accent)
    product_picture = _uploaded_picture(trees.first_picture_url(tree), api)
    if product_picture is None:
        _draw_package(draw, job, product["name"], (dark, accent, light))
    else:
        _paste_product_picture(picture, product_picture)

    draw.text(
        (MARGIN, MARGIN),
        _printable(brand["name"].upper()),
        font=_font(36),
        fill=ink,
        stroke_width=1,
    )
    _draw_label(draw, (job.width - MARGIN, MARGIN + 20), ad_format, ink, ground)
    _draw_texts(draw, job, trees.texts(tree), (ink, ground))

    facts = [audience["name"], *([variant["name"]] if variant else [])]
    foot = job.height - MARGIN - 30
    draw.text((MARGIN, foot), _printable("  ·  ".join(facts)), font=_font(32), fill=ink)
    width, height = job.picture_size
    mark = f"SIMULATED  {width} x {height}"
    draw.text((job.width - MARGIN, foot + 6), mark, font=_font(24), fill=ink, anchor="ra")
    if job.picture_size != picture.size:
        picture = _with_grain(picture.resize(job.picture_size), rendering.version_id)
    return _png(picture)


def draw_preview(template: Mapping[str, Any], api: SimulatedAPI) -> bytes:
    """The PNG of a design template: its reference, and where texts and picture will be."""
    width, height = template["width"], template["height"]
    dark, accent, light = _NEUTRAL
    picture = _background(width, height, light, accent)
    draw = ImageDraw.Draw(picture, "RGBA")
    reference = api.files.get(template["id"])
    if reference is not None:
        with Image.open(io.BytesIO(reference.content)) as image:
            picture.paste(ImageOps.fit(image.convert("RGB"), (width, height)))
        draw.rectangle([0, 0, width, height], fill=(255, 255, 255, 70))
    else:
        radius = min(width * 0.36, height * 0.25)
        middle = height * 0.33
        box = [width / 2 - radius, middle - radius, width / 2 + radius, middle + radius]
        draw.ellipse(box, fill=accent)
    band = 84
    top, scale = height * 0.58, (height - band) / 1350
    for share, size in ((0.92, 96), (1.0, 40), (0.8, 40)):
        box = [MARGIN, top, MARGIN + (width - 2 * MARGIN) * share, top + size * scale]
        draw.rounded_rectangle(box, radius=18 * scale, fill=(*ImageColor.getrgb(dark), 215))
        top += (size + 26) * scale
    box = [MARGIN, top + 10 * scale, MARGIN + 330 * scale, top + 90 * scale]
    draw.rounded_rectangle(box, radius=40 * scale, outline=dark, width=8, fill=light)
    draw.rectangle([0, height - band, width, height], fill=dark)
    names = [name for name, _ in trees.texts(template["current_json_tree"])]
    label = f"TEMPLATE  {template['aspect_ratio']}  ·  {'  ·  '.join(names)}"
    draw.text((MARGIN, height - band / 2), label, font=_font(28), fill=light, anchor="lm")
    _draw_label(draw, (width - MARGIN, MARGIN + 20), str(template["ad_format"]), dark, light)
    return _png(picture)


_NEUTRAL: Final = ("#2B2D42", "#8D99AE", "#EDF2F4")


def _colors(brand: Mapping[str, Any]) -> tuple[str, str, str]:
    """A brand's first three colours, dark to light; neutral ones if it has fewer."""
    found = list(islice(_hex_colors(brand["color_palettes"]), 3))
    return (found[0], found[1], found[2]) if len(found) == 3 else _NEUTRAL


def _hex_colors(palettes: object) -> Iterator[str]:
    """The hex values in palettes of whatever shape."""
    if isinstance(palettes, str) and re.fullmatch("#[0-9A-Fa-f]{6}", palettes):
        yield palettes
    elif isinstance(palettes, dict | list):
        for each in palettes.values() if isinstance(palettes, dict) else palettes:
            yield from _hex_colors(each)


def _draw_texts(
    draw: ImageDraw.ImageDraw,
    job: RenderedAd,
    texts: list[tuple[str, str]],
    colors: tuple[str, str],
) -> None:
    """Draws a tree's texts: the headline, then the others, and the button as a label."""
    ink, ground = colors
    width, top = job.width - 2 * MARGIN, int(job.height * 0.6)
    button = next((characters for name, characters in texts if name == "Button"), "")
    if button:
        right = job.width - MARGIN
        _draw_label(draw, (right, job.height * 0.555), button, ink, ground)
    for name, characters in texts:
        if name == "Button" or not characters:
            continue
        size, most = (88, 2) if name == "Headline" else (42, max(1, (job.height - top - 190) // 54))
        for line in _wrap(characters, _font(size), width)[:most]:
            stroke = 2 if name == "Headline" else 0
            draw.text((MARGIN, top), line, font=_font(size), fill=ink, stroke_width=stroke)
            top += size + 12
        top += 18


def _paste_reference(picture: Image.Image, reference: bytes) -> None:
    """Fills the upper part of an ad with the template's reference."""
    width, height = picture.width, int(picture.height * 0.54)
    with Image.open(io.BytesIO(reference)) as image:
        picture.paste(ImageOps.fit(image.convert("RGB"), (width, height)))


def _paste_product_picture(picture: Image.Image, product_picture: bytes) -> None:
    """Puts a picture of the ad's own where the product's package would be."""
    side = int(min(picture.width * 0.5, picture.height * 0.36))
    left, top = (picture.width - side) // 2, int(picture.height * 0.355) - side // 2
    with Image.open(io.BytesIO(product_picture)) as image:
        picture.paste(ImageOps.fit(image.convert("RGB"), (side, side)), (left, top))


def _uploaded_picture(url: str | None, api: SimulatedAPI) -> bytes | None:
    """The content of the uploaded image at this address; None if it is none of this simulator."""
    try:
        name = urlsplit(url or "").path
    except ValueError:
        return None
    upload = api.files.get(name.removeprefix("/files/")) if name.startswith("/files/") else None
    return upload.content if upload else None


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _with_grain(picture: Image.Image, seed: str) -> Image.Image:
    """The same with a grain that nobody sees, and that makes it as hard to pack as a photograph."""
    dust = random.Random(seed).randbytes(picture.width * picture.height)
    grain = Image.frombytes("L", picture.size, dust).point(lambda value: 127 + value % 3)
    return ImageChops.add(picture, Image.merge("RGB", [grain] * 3), offset=-128)


def _background(width: int, height: int, ground: str, accent: str) -> Image.Image:
    """An empty picture whose colour turns a little to the accent towards the bottom."""
    shades = Image.linear_gradient("L").resize((width, height)).point(lambda v: v // 7)
    return Image.composite(
        Image.new("RGB", (width, height), accent), Image.new("RGB", (width, height), ground), shades
    )


def _draw_shape(draw: ImageDraw.ImageDraw, job: RenderedAd, ad_format: str, accent: str) -> None:
    """Draws the shape behind the product, which tells the ad formats apart."""
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


def _draw_package(
    draw: ImageDraw.ImageDraw, job: RenderedAd, name: str, colors: tuple[str, str, str]
) -> None:
    """Draws a package with the product's initials, so that products differ at a glance."""
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


def _draw_label(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, ground: str, ink: str
) -> None:
    """Draws a rounded label that ends at `place`, the right end of its middle line."""
    right, middle = place
    text = _printable(text)
    left = right - draw.textlength(text, font=_font(32)) - 56
    draw.rounded_rectangle([left, middle - 32, right, middle + 32], radius=32, fill=ground)
    draw.text(((left + right) / 2, middle), text, font=_font(32), fill=ink, anchor="mm")


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Source Sans Pro, which has the letters of all European languages."""
    path = files("font_source_sans_pro") / "files" / "SourceSansPro-Regular.ttf"
    with path.open("rb") as file:
        return ImageFont.truetype(io.BytesIO(file.read()), size)


def _printable(text: str) -> str:
    """Text on one line, in letters that the font has: what it lacks is left out."""
    return "".join(map(_printable_letter, unicodedata.normalize("NFC", text[:LONGEST_DRAWN])))


@lru_cache(4096)
def _printable_letter(letter: str) -> str:
    """The letter; a space for any white space, and nothing for a letter that the font lacks."""
    if letter.isspace():
        return " "
    missing = _font(32).getmask("\uffff")
    return letter if bytes(_font(32).getmask(letter)) != bytes(missing) else ""


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The lines of a text, none wider than `width` pixels unless one word is."""
    lines: list[str] = []
    for word in _printable(text).split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines
