"""Places and pictures: what is asked for, what it is, and whether it may be opened."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from prefect_staticadslab.api.resources import ImageFile
from prefect_staticadslab.bounds import PICTURE_PIXELS
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.google_sheets import (
    ENDINGS,
    is_web_page,
    shown_name,
    table_address,
    table_ending,
    web_page_hint,
)
from prefect_staticadslab.campaign.files.images import (
    ImageFileError,
    UnsafePictureError,
    open_picture,
    read_image,
)
from prefect_staticadslab.campaign.files.locations import (
    LONGEST_SHOWN,
    STORE_PROTOCOLS,
    WEB_PROTOCOLS,
    Location,
    LocationError,
    file_below,
    folder_of,
    local_path,
    redacted,
)
from prefect_staticadslab.campaign.files.spreadsheet import WRITABLE
from tests.security.fuzz.inputs import any_texts, mangled, pick, temporary_folder, tokens_of
from tests.security.fuzz.target import Target, promise
from tests.security.input import large_files


@cache
def _folder() -> Path:
    """A folder with links that lead out of it, and what they lead to."""
    root = temporary_folder()
    inside, outside = root / "inside", root / "outside"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    for place in (inside / "a.png", inside / "sub" / "b.png", outside / "secret.png"):
        place.write_bytes(b"x")
    (inside / "link").symlink_to(outside)
    (inside / "link.png").symlink_to(outside / "secret.png")
    (inside / "loop").symlink_to(inside / "loop")
    (inside / "sub" / "up").symlink_to(inside)
    (inside / "dangling").symlink_to(outside / "not there")
    (inside / "~").mkdir()
    return inside


_PIECES: Final = (
    "a.png", "sub", "b.png", "link", "link.png", "loop", "up", "dangling", "~", "~root", "..", ".",
    "", "/", "\\", "secret.png", "C:", "c:\\", "\x00", "file:", "file:///", "file://localhost/",
    "local://", "http://", "https://", "HTTPS://", "s3://", "gs://", "abfs://", "az://",
    "memory://",
    "reference://", "simplecache::", "::", "zip://", "://", "//", "///", "@", ":", "#", "?", "[",
    "]",
    "%2e%2e", "%00", "user:pass@", "127.0.0.1", "[::1]", "169.254.169.254", "host", ":99999", "{d}",
    "*", "a" * 300, "\n", "\ufeff", " ", "．．", "\u2025", "\udcff", "\ud800", "etc/passwd",
    "0x7f.1",
)  # fmt: skip


@cache
def _places() -> st.SearchStrategy[str]:
    pieces = st.lists(st.one_of(pick(_PIECES), any_texts()), max_size=5)
    return st.builds(str.join, pick(("", "/", "")), pieces)


def _place_inputs() -> st.SearchStrategy[tuple[str, str]]:
    tables = ("{d}/table.csv", "table.csv", "s3://ads/in/t.csv", "https://host/in/t.csv?x=/y/..")
    return st.tuples(st.one_of(pick(tables), _places()), _places())


def examine_place(given: tuple[str, str]) -> None:
    table, text = (each.replace("{d}", str(_folder())) for each in given)
    _about_words(text)
    allowed = WEB_PROTOCOLS | STORE_PROTOCOLS | storage_protocols()
    refused = None
    ours = str(_folder() / "t.csv")
    ways: tuple[tuple[Callable[[], Location], str | None], ...] = (
        (lambda: Location.typed(text), None),
        (lambda: Location.named_by(table, text), table),
        (lambda: Location.named_by(ours, text), ours),
        (lambda: Location.below(str(_folder()), text), ours),
    )
    for way, base in ways:
        try:
            place = way()
        except CampaignError as error:
            refused = refused or error
            continue
        promise(place.protocol in allowed | {""}, "a protocol that is not allowed", place)
        promise(place.is_web or place.is_local or "::" not in place.text, "a chain", place)
        if base is not None:
            _below(place, base)
    if refused:
        raise refused


def storage_protocols() -> frozenset[str]:
    """What the environment allows besides."""
    import os

    from prefect_staticadslab.campaign.files.locations import PROTOCOLS_VARIABLE

    return frozenset(os.environ.get(PROTOCOLS_VARIABLE, "").split(",")) - {""}


def _below(place: Location, table: str) -> None:
    """Promises that what a table names is on the web, or below the table's folder."""
    try:
        Location.typed(table)
    except CampaignError:
        return  # no table is read there
    if place.is_web:
        return
    if place.is_local:
        try:
            base = local_path(table).parent.resolve()
            found = local_path(place.text).resolve()
        except (CampaignError, OSError, RuntimeError, ValueError):
            return
        promise(found.is_relative_to(base), "a place that leads out of the folder", place, table)
        return
    folder = folder_of(table)
    promise(place.text.startswith(f"{folder.rstrip('/')}/"), "another folder", place, table)
    promise(".." not in place.text[len(folder) :].split("/"), "a way out", place)


def _about_words(text: str) -> None:
    promise(len(redacted(text)) <= LONGEST_SHOWN + 2, "a place that is shown too long", text)
    promise(redacted(text).isprintable(), "a place that breaks the line", redacted(text))
    for say in (storage.name, storage.suffix, storage.canonical, folder_of, storage.is_url):
        say(text)
    for ending in WRITABLE:
        promise(storage.with_ending(text, ending).endswith(ending), "a sibling", text)
    below = file_below(text, str(_folder()))
    promise(below is None or below.is_relative_to(_folder().resolve()), "a file elsewhere", below)


def _sheet_inputs() -> st.SearchStrategy[tuple[str, str | None, bytes]]:
    pieces = pick(
        ("https://docs.google.com", "http://docs.google.com:443",
        "https://docs.google.com.evil.org",
         "/spreadsheets/d/", "/a/x.org/spreadsheets/u/0/d/", "e/", "2PACX-1v", "1aB_c", "/edit",
         "/pub", "/pubhtml", "/export", "/gviz/tq", "?", "#", "&", "gid=7", "output=csv", ";",
         "format=xlsx", "format=", "single=true", "resourcekey=0-x", "%ff", "\ud800", "/", "//",
         "@",
         "user:pw@", "[", "]", ":99999", "a.CSV", ".numbers", "https://host/x", "\n", "＃", "ſ")
    )  # fmt: skip
    addresses = st.lists(st.one_of(pieces, pieces, any_texts()), max_size=8).map("".join)
    pages = mangled(
        lambda: (
            b"<!doctype html>",
            b"\xef\xbb\xbf <!-- x --><HTML>",
            b"a,b\n1,2\n",
            b"<html lang>",
        ),
        (b"<!--", b"-->", b"<html", b"<", b" " * 99, b"<!-- --> " * 300, b"\n"),
    )
    sheets = st.one_of(st.none(), any_texts())
    return st.tuples(addresses, sheets, pages)


def examine_sheet(given: tuple[str, str | None, bytes]) -> None:
    address, sheet, page = given
    table = table_address(address, sheet=sheet)
    promise(table_address(table, sheet=sheet) == table, "an address of an address", table)
    if table != address:
        start = "https://docs.google.com/"
        promise(table.startswith(start), "a table somewhere else", address, table)
        promise("\n" not in table, "an address of two lines", table)
    ending = table_ending(address)
    promise(ending in {*ENDINGS, "", storage.suffix(address)}, "an ending", ending)
    shown_name(address)
    web_page_hint(address)
    is_web_page(page)


@cache
def _pictures() -> tuple[bytes, ...]:
    from PIL import Image

    made = [large_files.png(16, 16), large_files.gif(16, 16), large_files.png(7_000, 7_000)]
    for mode, size in (
        ("RGB", (9, 7)),
        ("P", (8, 8)),
        ("RGBA", (5, 5)),
        ("L", (1, 1)),
        ("1", (9, 9)),
    ):
        for kind in ("PNG", "JPEG", "WEBP", "GIF"):
            picture = Image.effect_noise(size, 50).convert("RGB" if kind == "JPEG" else mode)
            for options in _options(kind, picture):
                out = io.BytesIO()
                picture.save(out, kind, **options)
                made.append(out.getvalue())
    return tuple(made)


def _options(kind: str, picture: Any) -> list[dict[str, Any]]:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    frames = {"save_all": True, "append_images": [picture.copy()]}
    text = PngInfo()
    text.add_text("a", "b" * 500, zip=True)
    exif = Image.Exif()
    exif[0x010E] = "x"
    by_kind: dict[str, list[dict[str, Any]]] = {
        "PNG": [{}, {"pnginfo": text}, {"exif": exif.tobytes()}, frames],
        "JPEG": [
            {"progressive": True, "exif": exif.tobytes()},
            {"subsampling": 2, "comment": b"x"},
        ],
        "WEBP": [{"lossless": True}, {"quality": 1, "exif": exif.tobytes()}, frames],
        "GIF": [{}, frames, {"comment": b"x"}],
    }
    return by_kind[kind]


_PICTURE_TOKENS: Final = (
    *tokens_of(("IHDR", "IDAT", "IEND", "PLTE", "tRNS", "zTXt", "iTXt", "acTL", "fcTL", "eXIf",
    "JFIF",
                "RIFF", "WEBP", "VP8 ", "VP8L", "VP8X", "ANMF", "ALPH", "NETSCAPE2.0", "GIF87a")),
    b"\xff\xd8", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xdb", b"\xff\xc4", b"\xff\xe1",
    b"\xff\xdd",
    b"\xff\xd9", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x01",
    b"\xff\xff",
    b"\x10", b"\x21\xf9\x04", b"\x2c", b"\x3b", b"II*\x00", b"MM\x00*", b"\x00\x00\x1b\x58",
)  # fmt: skip


def examine_picture(content: bytes) -> None:
    path = _folder() / "picture"
    path.write_bytes(content)
    image = read_image(str(path))
    promise(image.media_type is not None, "an image of no kind")
    promise(ImageFile("x", content).digest == image.digest, "other bytes")
    with open_picture(io.BytesIO(content)) as picture:
        width, height = picture.size
        promise(width * height <= PICTURE_PIXELS, "too many pixels", picture.size)
        picture.thumbnail((400, 400))


PLACES: Final = (
    Target("locations", _place_inputs, examine_place, (CampaignError, LocationError)),
    Target("google_sheets", _sheet_inputs, examine_sheet, ()),
    Target(
        "images",
        lambda: mangled(_pictures, _PICTURE_TOKENS),
        examine_picture,
        (ImageFileError, UnsafePictureError),
    ),
)
