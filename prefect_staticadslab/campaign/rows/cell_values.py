"""What cells of known columns may hold: yes or no, an id, never an error of a formula or text that
was garbled before it was saved."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.files.cells import cell_text, shortened
from prefect_staticadslab.campaign.files.formats.table_layout import UNTICKED
from prefect_staticadslab.campaign.rows.resource_types import RESOURCE_TYPES
from prefect_staticadslab.campaign.table.layout import SENT_PROMPT_COLUMN

_TRUE: Final = frozenset(
    (
        *("true", "wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar", "prawda", "sant"),
        *("sand", "sann", "tosi", "pravda", "igaz", "adevărat", "doğru", "истина", "істина"),
        *("αληθεσ", "tõene", "cert", "egia", "真", "참"),
        *("yes", "y", "on", "ja", "j", "oui", "sí", "si", "sì", "s", "sim", "tak", "ano", "kyllä"),
        *("igen", "evet", "da", "да", "так", "ναι", "はい", "是", "예"),
        *("1", "1.0", "1,0", "x", "✓", "✔", "☑", "✅", "🗸", "🗹"),
    )
)
"""What Excel writes for true in its languages; words for yes; and ticks."""

_FALSE: Final = UNTICKED | frozenset(
    (
        *("no", "n", "off", "nein", "non", "não", "nao", "nee", "nej", "nei", "nie", "ne", "ei"),
        *("nem", "hayır", "hayir", "нет", "ні", "οχι", "όχι", "いいえ", "否", "아니요"),
        *("0", "0.0", "0,0", "-", "–", "—", "−", "✗", "✘", "❌", "🗷"),
    )
)

_ERRORS: Final = frozenset(
    (
        *("#ref!", "#n/a", "#value!", "#div/0!", "#name?", "#null!", "#num!", "#spill!"),
        *("#calc!", "#getting_data", "#field!", "#blocked!", "#connect!", "#unknown!", "#busy!"),
        *("#external!", "#python!", "#timeout!", "#error!", "loading...", "loading…"),
        *("#bezug!", "#nv", "#wert!", "#zahl!", "#überlauf!", "#kalk!", "#daten_abrufen"),
        *("#valeur!", "#nom?", "#nombre!", "#nul!", "#propagation!", "#chargement_données"),
        *("#¡ref!", "#¡valor!", "#¡div/0!", "#¿nombre?", "#¡nulo!", "#¡num!", "#¡desbordamiento!"),
        *("#n/d", "#nd", "#valore!", "#rif!", "#nome?", "#nullo!", "#espansione!"),
        *("#valor!", "#núm!", "#nulo!", "#despejar!", "#despejo!", "#verw!", "#waarde!"),
        *("#naam?", "#leeg!", "#getal!", "#n/b", "#overloop!", "#deel/0!"),
        *("#adr!", "#arg!", "#liczba!", "#nazwa?", "#zero!", "#dziel/0!", "#n/d!", "#rozlanie!"),
        *("#referens!", "#värdefel!", "#division/0!", "#namn?", "#skärning!", "#ogiltigt!"),
        *("#saknas!", "#spill", "#reference!", "#værdi!", "#verdi!", "#navn?", "#i/t", "#nul!"),
        *("#division/0!", "#viittaus!", "#arvo!", "#jako/0!", "#nimi?", "#tyhjä!", "#luku!"),
        *("#puuttuu!", "#odkaz!", "#hodnota!", "#název?", "#číslo!", "#nenívysledek"),
        *("#není_k_dispozici", "#hiv!", "#érték!", "#zérusosztó!", "#név?", "#szám!", "#hiányzik"),
        *("#başv!", "#değer!", "#sayı/0!", "#ad?", "#boş!", "#sayı!", "#yok", "#taşma!"),
        *("#ссылка!", "#знач!", "#дел/0!", "#имя?", "#пусто!", "#число!", "#н/д", "#перенос!"),
        *("#посилання!", "#знач!", "#ім'я?", "#порожньо!", "#вычисл!"),
    )
)
"""What a formula shows that could not be computed, as programs write it in their languages."""

_NUMBERED_OR_CUT: Final = re.compile(r"err:\d{3}|#{3,}", re.I)
"""LibreOffice's errors, and what programs show, and some export, of what is wider than its cell."""

_NAME_COLUMNS: Final = frozenset((*(kind.name for kind in RESOURCE_TYPES), SENT_PROMPT_COLUMN))
"""What holds names that the API has."""

_LOST: Final = "\ufffd"
"""What stands for a letter that could not be read, once a file was saved without it."""

_TWO_FOREIGN_LETTERS: Final = re.compile(r"[^\x00-\x7f]{2}")
"""What garbled text has: each letter outside ASCII became two or more of them."""

_CAPITALS_WITH_TILDE: Final = re.compile(r"(?<=[A-ZÀ-Þ])Ã(?=[\u00a0—·]|[–‘’“”»…®™•](?!\w))")
"""The end of a Portuguese word in capitals before a mark, as in `CAFÉ DA MANHÃ”`: both together
look like one letter that was garbled."""

_LOOKED_AT: Final = 5_000
"""Characters of a text; a garbled book takes half a minute."""

INVISIBLE: Final = re.compile(r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
"""Characters without a width of their own. What was copied from a web page may have them."""


def read_boolean(cell: Any) -> bool | None:
    """Whether a cell says yes or no, in the languages that Excel writes, or as a tick.

    Returns:
        None if it is empty.

    Raises:
        ValueError: It says something else.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.cell_values import read_boolean

        assert [read_boolean(v) for v in ("WAHR", "✓", "non", 0.0, "")] == [
            True, True, False, False, None
        ]
        ```
    """
    text = unicodedata.normalize("NFC", clean_id(cell_text(cell)).casefold()).replace("\ufe0f", "")
    if not text:
        return None
    if text not in _TRUE | _FALSE:
        raise ValueError(text)
    return text in _TRUE


def clean_id(text: str) -> str:
    """An id without spaces around it, invisible characters, and an apostrophe at its beginning.

    A spreadsheet program writes the apostrophe to say that the cell is a text.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.cell_values import clean_id

        assert clean_id("'brand_1\\u200b\\u00a0") == "brand_1"
        ```
    """
    return INVISIBLE.sub("", text).strip().removeprefix("'").strip()


def ungarbled(text: str) -> str | None:
    """What a text said before it was decoded in a wrong encoding, as far as that can be seen.

    Returns:
        None for a text that looks as it should.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.cell_values import ungarbled

        assert ungarbled("CafÃ© crÃ¨me, 5 â‚¬") == "Café crème, 5 €"
        assert ungarbled("Café crème, 5 €") is None
        ```
    """
    return _ungarbled(text[:_LOOKED_AT]) if _TWO_FOREIGN_LETTERS.search(text) else None


@lru_cache(maxsize=1_000)
def _ungarbled(text: str) -> str | None:
    import ftfy  # takes its time, for which only such texts should wait

    doubtless = _CAPITALS_WITH_TILDE.sub("A", text)
    if ftfy.fix_encoding(doubtless) == doubtless:
        return None
    return ftfy.fix_encoding(text)


def wrong_cell_message(cell: Any, *, is_name: bool = False) -> str | None:
    """What is wrong with a cell that holds an error of a formula, or text that was read in a wrong
    encoding before it was saved; else None.

    Args:
        cell: The cell.
        is_name: Whether it is, or holds, a name that the API has, which may be garbled there, too.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.cell_values import wrong_cell_message

        assert wrong_cell_message("#REF!").startswith("holds #REF!, ")
        assert wrong_cell_message("CafÃ©").startswith("is garbled: CafÃ©, which may be Café. ")
        assert wrong_cell_message("Now #1!") is None
        ```
    """
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    if _LOST in text:
        return (
            f"has lost letters: {shortened(text)}. The file was read in a wrong encoding when it "
            "was saved. Write the cell anew, or export the file as UTF-8."
        )
    if not is_name and (meant := ungarbled(cell)):
        return (
            f"is garbled: {shortened(text)}, which may be {shortened(meant)}. The file was read in "
            "a wrong encoding before it was saved. Write the cell anew, or export the file as "
            "UTF-8 and open it as that."
        )
    is_listed = len(text) <= _LONGEST_ERROR and text.casefold() in _ERRORS
    if not is_listed and not _NUMBERED_OR_CUT.fullmatch(text):
        return None
    return (
        f"holds {shortened(text)}, an error of a formula and no value. Mend the formula, or write "
        "the value."
    )


_LONGEST_ERROR: Final = 30
"""Characters; longer than any of `_ERRORS`."""


def wrong_cell_problems(number: int, cells: Mapping[str, Any]) -> list[Problem]:
    """A problem for each cell of a row that `wrong_cell_message` has something to say of.

    Args:
        number: The row's number.
        cells: Its cells, by their columns.
    """
    messages = {
        name: wrong_cell_message(cell, is_name=name in _NAME_COLUMNS)
        for name, cell in cells.items()
    }
    return [Problem(message, number, name) for name, message in messages.items() if message]
