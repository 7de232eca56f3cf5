"""What people call a product, and how it becomes part of a file's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pictures.captions import (
    STEM_BYTES,
    captions,
    file_stem,
    picture_stem,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Classic Tee", "Classic-Tee"),
        ("  Men's  Tee / blue  ", "Mens-Tee-blue"),
        ("Größe 42", "Größe-42"),
        ("夏のお茶 500ml", "夏のお茶-500ml"),
        ("हिन्दी चाय", "हिन्दी-चाय"),
        ("café", "café"),
        ("../../etc/passwd", "etc-passwd"),
        ('a\\b:c*d?e"f<g>h|i\x00j\n', "a-b-c-d-e-f-g-h-i-j"),
        ("\u202egnp.exe", "gnp-exe"),
        ("🎁", ""),
        ("", ""),
    ],
)
def test_a_slug_keeps_letters_of_every_script_and_nothing_unsafe(text: str, expected: str) -> None:
    assert file_stem(text) == expected


@given(st.text(max_size=300), st.text(max_size=100), st.integers(2, 10_000_000))
def test_a_name_is_safe_and_short_whatever_the_cells_hold(text: str, ad: str, row: int) -> None:
    stem = picture_stem(row, text, ad)
    assert len(f"{stem}.jpeg.part".encode()) <= 255
    assert len(file_stem(text).encode()) <= STEM_BYTES
    assert not set(stem) & set('/\\:*?"<>|.\x00\n\r ')
    assert stem[0].isdigit()


def test_the_name_is_cut_between_words() -> None:
    assert file_stem("one two three four", 12) == "one-two"
    assert file_stem("夏" * 100, 10) == "夏夏夏"


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("Title", "Shirt", "Shirt"),
        ("SKU", "007", "007"),
        ("title", "", "prod_1"),
        ("colour", "red", "prod_1"),
    ],
)
def test_the_caption_is_what_the_user_calls_the_product(
    tmp_path: Path, column: str, cell: str, expected: str
) -> None:
    (tmp_path / "in.csv").write_text(
        f"design_template_id,brand_id,product_id,audience_id,{column}\n"
        f"dt_1,brand_1,prod_1,aud_1,{cell}\n"
    )
    table = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).table
    assert captions(table) == [expected]
