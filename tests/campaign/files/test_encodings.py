"""The text of a file is what was written, or the user is asked."""

from __future__ import annotations

import codecs
import contextlib
import re
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions, read_spreadsheet
from prefect_staticadslab.campaign.rows.columns import KNOWN_COLUMNS

SENTENCES = {
    "cp1252": ["Größe M für kühle Köpfe", "Crème brûlée à l'ancienne",
               "Descubre el sabor de España", "Promoção de verão", "Færskt smørrebrød på bordet",
               "„Echt gut“ – nur heute"],
    "cp1250": ["Świeża kawa każdego dnia, zawsze gorąca", "Čerstvá káva každý den", "Őszi akció"],
    "cp1251": ["Летняя распродажа обуви", "Свіжа кава щодня"],
    "cp1253": ["Φρέσκος καφές κάθε μέρα"],
    "cp1254": ["Yaz geldi, kış bitti, şimdi güneş zamanı"],
    "cp932": ["夏のセール、全品半額"],
    "gb18030": ["夏季大促销，新品上市，买一送一"],
    "cp950": ["夏季大特賣，新品上市，買一送一"],
    "cp949": ["여름 세일 전품목 반값, 오늘만 할인"],
    "mac_roman": ["Größe M für kühle Köpfe"],
    "koi8_r": ["Летняя распродажа обуви"],
}  # fmt: skip
SHORT = [
    "Müsli",
    "Noël",
    "Mañana",
    "Più",
    "Caffè",
    "Æbler",
    "Żółty",
    "Łódź",
    "Miód",
    "Děti",
    "Да",
    "Кофе",
    "Νέα",
    "İndirim",
    "Sağlık",
    "Žiema",
    "夏",
    "咖啡",
    "커피",
    "珈琲",
    "5€",
    "It’s",
]


@pytest.fixture
def prompts(tmp_path: Path) -> Any:
    def read(content: bytes, **options: Any) -> list[str]:
        (tmp_path / "in.csv").write_bytes(content)
        table = read_spreadsheet(
            str(tmp_path / "in.csv"), options=ReadOptions(**options), known_columns=KNOWN_COLUMNS
        )
        notes.extend(table.notes)
        prompts: list[str] = table.frame["prompt"].tolist()
        return prompts

    notes: list[str] = []
    read.notes = notes  # type: ignore[attr-defined]
    return read


def csv_of(*texts: str) -> str:
    return "brand_id,prompt\n" + "".join(f'brand_1,"{text}"\n' for text in texts)


@pytest.mark.parametrize(
    ("encoding", "text"), [(name, text) for name, texts in SENTENCES.items() for text in texts]
)
def test_a_sentence_in_what_its_country_writes_is_read(
    prompts: Any, encoding: str, text: str
) -> None:
    assert prompts(csv_of(text, "Second").encode(encoding)) == [text, "Second"]
    assert len(prompts.notes) == 1


@pytest.mark.parametrize("encoding", ["cp1252", *SENTENCES])
def test_a_word_is_never_read_as_another(prompts: Any, encoding: str) -> None:
    tried = 0
    for text in SHORT:
        try:
            content = csv_of(text).encode(encoding)
        except UnicodeEncodeError:
            continue
        tried += 1
        with contextlib.suppress(SpreadsheetError):
            assert prompts(content) == [text]
    assert tried


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-32"])
def test_unicode_is_known_without_its_mark(prompts: Any, encoding: str) -> None:
    assert prompts(csv_of("Größe 夏 🎁").encode(encoding)) == ["Größe 夏 🎁"]
    assert prompts.notes == [f"encoding {encoding}"]


def test_a_doubt_shows_two_readings_and_how_to_say_which(prompts: Any) -> None:
    content = csv_of("Plain", "Mañana").encode("cp1252")
    with pytest.raises(SpreadsheetError) as asked:
        prompts(content)
    shown = str(asked.value)
    assert shown.startswith("Row 3: is not in Unicode")
    assert "In cp1252 it would read 'Mañana', in" in shown
    assert prompts(content, encoding="cp1252") == ["Plain", "Mañana"]
    assert prompts(content, encoding="windows-1250") == ["Plain", "Mańana"]


@pytest.mark.parametrize("named", ["cp1252", "windows-1250", "shift_jis", "gb18030"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("text", ["Größe 夏", "Mañana a las diez", "Сливки и кофе"])
def test_what_is_evidently_unicode_is_read_as_that_whatever_is_named(
    prompts: Any, encoding: str, named: str, text: str
) -> None:
    assert prompts(csv_of(text).encode(encoding), encoding=named) == [text]
    assert prompts.notes == [
        f"encoding {encoding.removesuffix('-sig')}, though {codecs.lookup(named).name} was named"
    ]


def test_a_few_signs_that_are_utf_8_by_accident_are_read_as_named(prompts: Any) -> None:
    content = csv_of("中国").encode("gb18030")
    assert prompts(content, encoding="gb18030") == ["中国"]
    assert prompts.notes == ["encoding gb18030, as named"]


def test_what_is_not_sent_need_not_be_beyond_doubt(prompts: Any) -> None:
    table = "brand_id,prompt,note\nb,Plain,Mañana\n".encode("cp1252")
    assert prompts(table) == ["Plain"]
    with pytest.raises(SpreadsheetError, match="in doubt"):
        prompts(table.replace(b"Plain", b"{note}"))


def test_a_line_that_is_no_utf_8_among_others_is_told(prompts: Any) -> None:
    content = csv_of("Größe", "Süße", "Köpfe").encode() + "brand_1,Größe\n".encode("cp1252")
    with pytest.raises(SpreadsheetError, match="UTF-8 text except for line 5"):
        prompts(content)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("klingon", "There is no encoding 'klingon'"),
        ("rot13", "There is no encoding 'rot13'"),
        ("zlib", "There is no encoding 'zlib'"),
        ("a\0b", "There is no encoding"),
        ("utf-8", "The file is not written in utf-8"),
    ],
)
def test_a_wrong_name_is_told(prompts: Any, name: str, says: str) -> None:
    with pytest.raises(SpreadsheetError, match=re.escape(says)):
        prompts(csv_of("Größe").encode("cp1252"), encoding=name)


@pytest.mark.parametrize("line", ["sep=;\n", '"sep=;"\r\n', "SEP=;\n"])
def test_a_line_that_says_the_separator_is_none_of_the_table(prompts: Any, line: str) -> None:
    assert prompts(f"{line}brand_id;prompt\nb;a,b\n".encode()) == ["a,b"]
    assert prompts.notes == ["cells separated by ';', as its line sep=; says"]


@pytest.mark.parametrize("unticked", ["FALSE", "Falsch", "ЛОЖЬ", "☐"])
def test_rows_of_nothing_but_boxes_that_are_not_ticked_are_none(
    prompts: Any, unticked: str
) -> None:
    rows = f"b;One;{unticked}\n;;{unticked}\nb;Two;TRUE\n;;{unticked}\n;;{unticked}\n"
    assert prompts(f"brand_id;prompt;Approved\n{rows}".encode()) == ["One", "Two"]
    assert prompts.notes == ["rows 3, 5-6 with nothing but boxes that are not ticked, left out"]


@pytest.mark.parametrize("other", ["TRUE", "0", "-", "no"])
def test_a_row_with_anything_else_is_one(prompts: Any, other: str) -> None:
    assert len(prompts(f"brand_id;prompt;Approved\nb;One;FALSE\n;;{other}\n".encode())) == 2


def test_a_total_with_a_box_that_is_not_ticked_is_no_row(prompts: Any) -> None:
    content = "brand_id;prompt;price;Approved\nb;One;1,50;TRUE\nb;Two;2;FALSE\nTotal;;3,50;FALSE\n"
    assert prompts(content.encode()) == ["One", "Two"]
    assert prompts.notes == ["row 4, a total below the table, left out"]


def test_a_title_and_a_total_of_a_text_file_are_no_rows(prompts: Any) -> None:
    content = "Summer 2026;;\n\nbrand_id;prompt;price\nb;One;1,50 €\nb;Two;2\nTotal:;;3,50 €\n"
    assert prompts(content.encode()) == ["One", "Two"]
    assert prompts.notes == [
        "row 1 above the columns' names, left out",
        "row 6, a total below the table, left out",
    ]


@pytest.mark.parametrize(
    "title",
    ["Größe;x;y;z;", "Größe;;;ü;{Größe}", "Sommer\n\nStraße;;;;;;", "Größe M"],
    ids=["wider", "with a placeholder", "two titles", "narrower"],
)
@pytest.mark.parametrize("ending", ["", ";;;"])
def test_a_title_in_another_encoding_may_be_wider_than_the_table(
    prompts: Any, title: str, ending: str
) -> None:
    content = f"{title}\nbrand_id;prompt{ending}\nb;Grüße aus Köln{ending}\n"
    assert prompts(content.encode("cp1252")) == ["Grüße aus Köln"]
