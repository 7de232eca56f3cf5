"""Columns as people write their names, and those that may be meant as others."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.job_types.revision_rows import read_changes
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.rows.ad_rows import AdRow, read_rows
from prefect_staticadslab.campaign.rows.columns import KNOWN_COLUMNS, SOURCE_ROW_COLUMN
from tests.campaign.shop import IDS, NAMES, SHOP, expanded, lines, sheet


def told(*rows: Mapping[str, object]) -> str:
    """What is wrong with these rows, given the shop."""
    with pytest.raises(SpreadsheetError) as caught:
        read_rows(expanded(*rows))
    return str(caught.value)


def ads(*rows: Mapping[str, object]) -> list[AdRow]:
    return read_rows(expanded(*rows))


def as_written(name: str, how: str) -> str:
    words = name.split("_")
    return {
        "Title": " ".join(word.capitalize() for word in words),
        "UPPER-HYPHEN": "-".join(words).upper(),
        "camel": words[0] + "".join(word.capitalize() for word in words[1:]),
        "dots": ".".join(words),
        "invisible": f"\ufeff{chr(0x200B).join(words)}\u00a0",
        "no-break": "\u00a0".join(words).upper(),
        "wide": "".join(chr(ord(c) + 0xFEE0) if c != "_" else " " for c in name),
    }[how]


WAYS = ["Title", "UPPER-HYPHEN", "camel", "dots", "invisible", "no-break", "wide"]


@pytest.mark.parametrize("how", WAYS)
def test_every_column_that_means_something_is_found(how: str) -> None:
    cells = {
        **IDS,
        "product_variant_id": "pv_s",
        "prompt": "Iced",
        "editable": "TRUE",
        "generate_copy": "TRUE",
        "generate_ai_images": "FALSE",
        "node_overrides": '{"N": {"characters": "Sale"}}',
        "row_id": "a",
    }
    (plain,) = ads(cells)
    (row,) = ads({as_written(name, how): cell for name, cell in cells.items()})
    assert row == plain
    assert row.request.options is not None
    assert row.request.options.generate_copy
    assert cells.keys() | {*NAMES, "product_variant", SOURCE_ROW_COLUMN} == KNOWN_COLUMNS


@pytest.mark.parametrize("how", WAYS)
def test_names_columns_and_placeholders_are_found(how: str) -> None:
    cells = {**NAMES, "product_variant": "Small"}
    named = {as_written(name, how): cell for name, cell in cells.items()}
    prompt = f"{{{as_written('product_variant', how)}}} {{Product Name}}, {{product_name}}"
    (line,) = lines({**named, "productName": "Green tea", "prompt": prompt})
    assert line["sent_prompt"] == "Small Green tea, Green tea"
    assert line["product_variant_id"] == "pv_s"


def test_two_headers_that_mean_one_column_are_told_with_both() -> None:
    message = told({**IDS, "Product ID": "prod_jam"})
    assert "column product_id: is there twice, as 'product_id' and 'Product ID'." in message


def test_a_placeholder_that_may_be_two_columns_is_told() -> None:
    row = {**IDS, "Sale Price": "1", "sale.price": "2", "prompt": "{sale-price}"}
    assert "{sale-price} may be {sale price} or {sale.price}." in told(row)
    (line,) = lines({**row, "prompt": "{Sale Price}"})
    assert line["sent_prompt"] == "1"


@pytest.mark.parametrize("names", [("Price", "price"), ("price ", "PRICE"), (" Price", "Price")])
@pytest.mark.parametrize("placeholder", ["{price}", "{Price}", "{ PRICE }"])
def test_a_placeholder_that_may_be_columns_of_one_name_is_told(
    names: tuple[str, str], placeholder: str
) -> None:
    row = {**IDS, **dict(zip(names, ("10.00", "7.50"), strict=True))}
    message = told({**row, "prompt": f"Now {placeholder}"})
    assert f"may be the column {names[0].strip()!r} or {names[1].strip()!r}. Rename one." in message
    (line,) = lines({**row, "was": "5", "prompt": "Now {was}"})
    assert line["sent_prompt"] == "Now 5", "what no prompt names does no harm"


@pytest.mark.parametrize("name", ["Sent Prompt", "sent-prompt", "sentPrompt", "SENT.PROMPT"])
@pytest.mark.parametrize("prompt", ["New", "New {note}"])
def test_a_column_of_the_users_is_not_sent_instead_of_the_prompt(name: str, prompt: str) -> None:
    row = {**IDS, "note": "x", "prompt": prompt, name: "Old winter prompt"}
    assert f"{name!r} would be read as a result table's sent_prompt" in told(row)


def test_a_text_of_ones_own_beside_an_id_stays_that() -> None:
    (line,) = lines({**IDS, "Design template": "the red one", "prompt": "{Design template}"})
    assert line["sent_prompt"] == "the red one"


def test_a_column_for_people_called_like_the_one_that_we_write_is_no_trouble() -> None:
    table = expanded({**IDS, "audience_id": "*", "Source Row": "x"})
    assert len(read_rows(table)) == 3


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("Brand Name", "brand"),
        ("Brands", "brand"),
        ("Brand IDs", "brand_id"),
        ("Desgin Template", "design_template"),
        ("Templates", "design_template"),
        ("Audience name", "audience"),
        ("Prodcut", "product"),
    ],
)
def test_a_required_column_that_is_missing_is_guessed(given: str, meant: str) -> None:
    kind = meant.removesuffix("_id")
    row = {given if name == kind else name: cell for name, cell in NAMES.items()}
    assert f"Did you mean {meant} by {given!r}?" in told(row)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("Prompts", "prompt"),
        ("Promt", "prompt"),
        ("Prompt text", "prompt"),
        ("Editable?", "editable"),
        ("Generate copys", "generate_copy"),
        ("Generate AI image", "generate_ai_images"),
        ("Node override", "node_overrides"),
        ("Row IDs", "row_id"),
        ("Prompt (EN)", "prompt"),
        *((name, "prompt") for name in ("Image prompt", "AI-Prompts", "Bildprompt", "prompt_en")),
        *((name, "prompt") for name in ("Prompt 1", "Ad prompt (final)", "image_prompt")),
        ("Prompt [max. 200 characters]", "prompt"),
        ("Editable(4 USD)", "editable"),
        ("Generate copy (yes/no)", "generate_copy"),
    ],
)
def test_a_column_that_would_be_ignored_is_told(given: str, meant: str) -> None:
    assert f"{given!r} is not read. Did you mean {meant}?" in told({**IDS, given: "x"})
    assert ads({**IDS, given: "x", meant: ""}), "with the column itself it is one of her own"


@pytest.mark.parametrize(
    "name",
    [
        *("Product note", "Price", "Notes", "Winner", "Image URL", "Copy", "Brand colour", "ID"),
        *("Price (prompt)", "Brand (colour)", "[x]", "Promptness", "Impromptu"),
        *("Negative prompt", "Prompt author"),
    ],
)
def test_columns_of_ones_own_are_no_trouble(name: str) -> None:
    brief = Brief.read(sheet({**IDS, name: "x"}))
    assert brief.spreadsheet.notes == ()
    assert read_rows(expand(brief, SHOP))


def test_a_column_that_may_be_meant_is_a_note() -> None:
    (note,) = Brief.read(sheet({**IDS, "Variant": "B"})).spreadsheet.notes
    assert note == "The column 'Variant' is not read as product_variant, which it is like."


@pytest.mark.parametrize("cell", ["Early, Late", "Early; Late", "Early\nLate", "Early,Late,"])
def test_names_with_commas_between_them_are_guessed(cell: str) -> None:
    message = told({**NAMES, "audience": cell})
    assert "Did you mean 'Early | Late'?" in message


def test_a_name_with_a_comma_in_it_is_a_name() -> None:
    assert "Did you mean 'Early |" not in told({**NAMES, "audience": "Early, Never"})


def test_a_table_of_revisions_is_read_as_people_write_it() -> None:
    patch = '[{"op": "replace", "path": "/a", "value": 1}]'
    table = Spreadsheet(("Image Ad ID", "JSON-Patch"), [["'ia_1\u200b", patch]], (2,))
    (change,) = read_changes(table)
    assert change.request.image_ad_id == "ia_1"
    twice = Spreadsheet(("Image Ad ID", "image_ad_id"), [["ia_1", ""]], (2,))
    with pytest.raises(SpreadsheetError, match="there twice"):
        read_changes(twice)
