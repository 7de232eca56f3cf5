"""Errors, booleans and ids in cells, as programs and people write them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from prefect_staticadslab.api.resources import Brand
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.job_types.revision_rows import read_changes
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.listings import Catalogue, Listing, ListKey
from prefect_staticadslab.campaign.rows.ad_rows import read_rows
from prefect_staticadslab.campaign.rows.cell_values import read_boolean, wrong_cell_message
from prefect_staticadslab.campaign.rows.json_cells import JsonCellError, read_json
from prefect_staticadslab.campaign.rows.resource_types import BRAND
from tests.campaign.shop import IDS, NAMES, SHOP, expanded, lines, sheet

ERRORS = [
    *("#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"),
    *("#GETTING_DATA", "#BEZUG!", "#NV", "#WERT!", "#NOM?", "#¡REF!", "#ССЫЛКА!", "#Н/Д"),
    *(" #ref! ", "Err:508", "Err:502", "Err:510", "err:540", "Loading...", "Loading…", "###"),
    *("#######", "#" * 50),
]


def told(*rows: Mapping[str, object]) -> str:
    with pytest.raises(SpreadsheetError) as caught:
        read_rows(expanded(*rows))
    return str(caught.value)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_of_a_formula_is_no_prompt(error: str) -> None:
    message = told({**IDS, "prompt": "Iced"}, {**IDS, "prompt": error})
    assert message.startswith(f"Row 3, column prompt: holds {error.strip()}, an error of a formula")


@pytest.mark.parametrize(
    "column", [*IDS, "product_variant_id", "editable", "generate_copy", "node_overrides", "row_id"]
)
def test_an_error_in_any_column_that_is_read_is_told(column: str) -> None:
    message = told({**IDS, column: "#REF!"})
    assert message.startswith(f"Row 2, column {column}: holds #REF!")
    assert len(message.splitlines()) == 1
    assert f"column {column}: holds #REF!" in told(
        {**IDS, "prompt": "{a}", "a": 1, column: "#REF!"}
    )


@pytest.mark.parametrize("column", NAMES)
def test_an_error_for_a_name_is_told(column: str) -> None:
    assert told({**NAMES, column: "#N/A"}).startswith(f"Row 2, column {column}: holds #N/A")


def test_an_error_that_is_filled_in_is_told_and_another_is_not() -> None:
    row = {**IDS, "price": "#VALUE!", "margin": "#DIV/0!", "prompt": "Now {price}"}
    assert told(row).startswith("Row 2, column price: holds #VALUE!")
    (line,) = lines({**row, "price": "5"})
    assert line["sent_prompt"] == "Now 5"


@pytest.mark.parametrize("text", ["Gr\ufffd\ufffde", "5 \ufffd", "\ufffd" + "x" * 900])
def test_a_text_that_has_lost_letters_is_told_where_it_is_sent(text: str) -> None:
    assert told({**IDS, "prompt": text}).startswith("Row 2, column prompt: has lost letters: ")
    row = {**IDS, "price": text, "note": text, "prompt": "Now {price}"}
    assert told(row).startswith("Row 2, column price: has lost letters: ")
    assert told({**NAMES, "brand": text}).startswith("Row 2, column brand: has lost letters: ")
    (line,) = lines({**row, "price": "5"})
    assert line["note"] == text, "where it is not sent it does no harm"


GARBLED = {
    "CafÃ© crÃ¨me, 5 â‚¬": "Café crème, 5 €",
    "Ãœberraschung fÃ¼r Ã„rzte": "Überraschung für Ärzte",
    "CÃ”TÃ‰": "CÔTÉ",
    "donâ€™t": "don’t",
    "50 Â°C": "50 °C",
    "naÃ¯ve ðŸŽ‰": "naïve 🎉",
    "ZaÅ¼Ã³Å‚Ä‡": "Zażółć",
    "ÐŸÑ€Ð¸Ð²ÐµÑ‚": "Привет",
    "æ—¥æœ¬èªž": "日本語",
    "Caf√© cr√®me, 5 ‚Ç¨": "Café crème, 5 €",
    "GrĂĽĂźe fĂĽr „Ă„rzteâ€ś": None,
    "РџСЂРёРІРµС‚": "Привет",
}
"""What was UTF-8, as programs in the west, on a Mac, in the middle and in the east decode it."""


@pytest.mark.parametrize(("text", "meant"), GARBLED.items())
def test_a_text_that_was_decoded_in_a_wrong_encoding_is_told_where_it_is_sent(
    text: str, meant: str | None
) -> None:
    said = f"is garbled: {text}, which may be {meant or ''}"
    assert told({**IDS, "prompt": text}).startswith(f"Row 2, column prompt: {said}")
    row = {**IDS, "price": text, "note": text, "prompt": "Now {price}"}
    assert told(row).startswith(f"Row 2, column price: {said}")
    (line,) = lines({**row, "price": "5"})
    assert line["note"] == text, "where it is not sent it does no harm"
    assert "garbled" not in told({**NAMES, "brand": text}), "the API may have it so"


def test_a_name_that_is_garbled_at_the_api_may_be_filled_in() -> None:
    brands = Listing((Brand(id="brand_a", name="CafÃ© Rio"),))
    lists = {**SHOP.lists, ListKey(BRAND): brands}
    for brand in ("CafÃ© Rio", "brand_a"):
        row = {**NAMES, "brand": brand, "prompt": "{brand} now"}
        (ad,) = read_rows(expand(Brief.read(sheet(row)), Catalogue(lists)))
        assert ad.request.prompt == "CafÃ© Rio now"


def test_a_long_garbled_text_is_told_at_once() -> None:
    assert str(wrong_cell_message("CafÃ© " * 200_000)).startswith("is garbled: CafÃ© CafÃ©")


@pytest.mark.parametrize(
    "text",
    [
        *(meant for meant in GARBLED.values() if meant),
        *("“CAFÉ DA MANHÃ”", "AMANHÃ…", "IRMÃ®", "MAÇÃ•", "PÃO", "SÃO “Ó”", "VOILÀ®", "Olé”…"),
        *("MAÇÃ\u00a0E CANELA", "AMANHÃ—NÃO PERCA", "MAÇÃ·CANELA", "R$\u00a05 – JÁ", "CAFÉ–bar"),
        *("Her, Её", "Ні, не треба", "Úžasný výlet", "ĐÀ NẴNG…", "2√π", "„Ägypten‘", "‹Ö›"),
        *("★★★★★", "→ jetzt ←", "½ “Ü”", "BJÖRN’S®", "5,00\u00a0€…", "ไทย", "한국어", "שלום"),
    ],
)
def test_a_text_with_foreign_letters_side_by_side_is_a_text(text: str) -> None:
    (row,) = read_rows(expanded({**IDS, "prompt": text}))
    assert row.request.prompt == text


@pytest.mark.parametrize("text", ["##", "Err:51", "Err:5100", "#1 in town", f"{'#' * 40} Iced"])
def test_a_text_that_is_a_little_like_an_error_is_a_text(text: str) -> None:
    (row,) = read_rows(expanded({**IDS, "prompt": text}))
    assert row.request.prompt == text


def test_a_text_with_such_a_word_in_it_is_a_text() -> None:
    (row,) = read_rows(expanded({**IDS, "prompt": "We fixed #REF! for good"}))
    assert row.request.prompt == "We fixed #REF! for good"


def test_what_was_made_of_an_error_once_is_still_read_in_a_result_table() -> None:
    (row,) = read_rows(sheet({**IDS, "prompt": "#REF!"}), unique_row_ids=False)
    assert row.request.prompt == "#REF!"


def test_an_error_in_a_table_of_revisions_is_told() -> None:
    with pytest.raises(SpreadsheetError, match="holds #REF!"):
        read_changes(sheet({"image_ad_id": "#REF!", "json_patch": "[]"}))


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "TRUE",
            "true",
            True,
            1,
            1.0,
            "1.0",
            "x",
            "X",
            "yes",
            "on",
            "✓",
            "✔",
            "✔\ufe0f",
            "☑",
            "✅",
        ),
        *("WAHR", "VRAI", "VERDADERO", "VERO", "VERDADEIRO", "WAAR", "PRAWDA", "SANT", "SAND"),
        *("SANN", "TOSI", "PRAVDA", "IGAZ", "DOĞRU", "ИСТИНА", "真", "oui", "sí", "si\u0301"),
        *("Sim", "tak", "ano", "evet", "да", "はい", " wahr\u00a0", "ΑΛΗΘΕΣ", "'TRUE"),
    ],
)
def test_what_says_yes(cell: object) -> None:
    assert read_boolean(cell) is True


@pytest.mark.parametrize(
    "cell",
    [
        *("FALSE", False, 0, 0.0, "0.0", "no", "off", "✗", "✘", "☐", "-", "–"),
        *("FALSCH", "FAUX", "FALSO", "ONWAAR", "FAŁSZ", "FALSKT", "FALSK", "USANN", "EPÄTOSI"),
        *("NEPRAVDA", "HAMIS", "FALS", "YANLIŞ", "ЛОЖЬ", "偽", "nein", "non", "não", "нет"),
    ],
)
def test_what_says_no(cell: object) -> None:
    assert read_boolean(cell) is False


@pytest.mark.parametrize("cell", [None, "", "  ", "\u200b"])
def test_what_says_nothing(cell: object) -> None:
    assert read_boolean(cell) is None


@pytest.mark.parametrize("cell", ["maybe", "2", "yes please", "truee", "?"])
def test_what_is_neither_is_told(cell: str) -> None:
    assert f"{cell!r} is neither true nor false." in told({**IDS, "editable": cell})


@pytest.mark.parametrize(
    "id_",
    ["brand_a\u200b", "\ufeffbrand_a", "\u00a0brand_a\u00a0", "'brand_a"],
)
def test_what_nobody_sees_is_no_part_of_an_id(id_: str) -> None:
    (row,) = read_rows(expanded({**IDS, "brand_id": id_}))
    assert row.request.brand_id == "brand_a"
    (row,) = read_rows(expanded({**IDS, "brand_id": id_, "prompt": "{a}", "a": "1"}))
    assert row.request.brand_id == "brand_a"


@pytest.mark.parametrize("name", ["Alder\u200b & Co", "\ufeffAlder\u00a0& Co"])
def test_what_nobody_sees_is_no_part_of_a_name(name: str) -> None:
    (line,) = lines({**NAMES, "brand": name})
    assert line["brand_id"] == "brand_a"


@pytest.mark.parametrize(
    "text", ['{“a”: {"b": 1}}', '{"a": {„b“: 1}}', "{«a»: 1}", '{"a”: 1}', "{“a”: “b”}"]
)
def test_json_with_typographic_quotes_is_told_that(text: str) -> None:
    with pytest.raises(JsonCellError, match="typographic quote"):
        read_json(text)
    assert "typographic quote" in told({**IDS, "node_overrides": text})


def test_typographic_quotes_within_a_text_are_no_mistake() -> None:
    assert read_json('{"a": "“Sale”"}') == {"a": "“Sale”"}
    with pytest.raises(JsonCellError, match="no JSON: Expecting"):
        read_json('{"a": "“Sale”" "b"}')
