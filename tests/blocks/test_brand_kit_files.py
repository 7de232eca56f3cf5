"""Files of brand kits: TOML and YAML are read alike, and all that is wrong is told at once."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab import ImageAdOptions
from prefect_staticadslab.brand_kits.kit import block_name_problem, kit_words
from prefect_staticadslab.brand_kits.kit_file import KitFile, open_kits, read_kits
from prefect_staticadslab.brand_kits.resolve import ResolvedKits
from prefect_staticadslab.campaign.errors import CampaignError, SpreadsheetError
from tests.conftest import ROOT


def read(text: str, suffix: str = ".toml") -> KitFile:
    return read_kits(text, suffix, "static-ads-lab")


def told(file: KitFile | ResolvedKits) -> str:
    words = file.words if isinstance(file, KitFile) else kit_words("abc")
    return SpreadsheetError(file.problems).message_in(words)


def test_toml_and_yaml_say_the_same() -> None:
    toml = read(
        '[harbor-roast]\nbrand = "Harbor Roast"\nproduct_id = "prod_1"\neditable = true\n'
        'generate_copy = false\nprompt = """\nSteam\nover a harbour\n"""\n'
        '[second]\ncredentials = "other"\nbrand = "1882"\n'
    )
    yaml = read(
        "harbor-roast:\n  brand: Harbor Roast\n  product_id: prod_1\n  editable: true\n"
        "  generate_copy: false\n  prompt: |\n    Steam\n    over a harbour\n"
        "second:\n  credentials: other\n  brand: '1882'\n",
        ".yaml",
    )
    assert toml == yaml
    assert toml.problems == ()
    first, second = (written.kit for written in toml.kits)
    assert (first.credentials, second.credentials) == ("static-ads-lab", "other")
    assert first.ad.prompt == "Steam\nover a harbour"
    assert first.ad.editable
    assert first.ad.options == ImageAdOptions(generate_copy=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[Harbor_Roast]\nbrand = "x"', "Brand kit Harbor_Roast: 'Harbor_Roast' cannot be a"),
        ('[Harbor_Roast]\nbrand = "x"', "lower case letters, digits and dashes only. Call it harb"),
        (
            '[a]\nbrandd = "x"',
            "Brand kit a, brandd: is no field of a brand kit. Did you mean brand?",
        ),
        (
            '[a]\nbrand = "x"\nsize = "x"',
            "is no field of a brand kit. There are: credentials, design_template,",
        ),
        (
            "[a]\nbrand = 1882",
            "Brand kit a, brand: must be one text, and is the number 1882. Put it",
        ),
        ('[a]\naudience = ["x", "y"]', "must be one text, and is a list."),
        ('[a]\neditable = "yes"', "editable: must be true or false, without quotes, and is 'yes'."),
        ('[a]\nproduct = "x"', "product: a product is looked up by name among those of a brand"),
        ('[a]\nbrand = "x"\naudience = "y"', "among those of a product. Give the kit its product"),
        ('[a]\nproduct_id = "prod_1"\nproduct = "x"', "or say it with product_id alone."),
        ('[a]\nbrand_id = "Harbor Roast"', "brand_id: 'Harbor Roast' is not the id of a brand"),
        ('[a]\nproduct = "aud_1"', "product: a product is looked up by name"),
        ('[a]\nbrand = "*"', "brand: * stands for all of them, and a brand kit has one brand."),
        (
            '[a]\ndesign_template = "Bold"',
            "design_template: 'Bold' is not the id of a design templ",
        ),
        ('[a]\ndesign_template = "format=Bold"', "Templates are not filtered by 'format'"),
        ('[a]\ncredentials = "My key"', "credentials: 'My key' cannot be a block's name"),
        ("[a]", "Brand kit a: is empty. Give it a brand, at least."),
        ('[a]\ncredentials = "b"', "Brand kit a: is empty."),
        ('brand = "x"', "brand stands outside of any brand kit. Put it below the kit's name."),
        ('title = "x"', "'title' is no table of fields."),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(text: str, message: str) -> None:
    assert message in told(read(text))


def test_everything_that_is_wrong_in_a_file_is_told_at_once() -> None:
    file = read('[a]\nbrandd = "x"\neditable = 1\n[B]\nprompt = "x"\n[c]\nproduct = "x"\n')
    assert len(file.problems) == 4
    assert [problem.row for problem in file.problems] == [1, 1, 2, 3]
    assert [line.split(":")[0] for line in told(file).splitlines()] == [
        "Brand kit a, brandd",
        "Brand kit a, editable",
        "Brand kit B",
        "Brand kit c, product",
    ]


def test_what_is_wrong_in_several_kits_is_told_once() -> None:
    file = read('[a]\nbrandd = "x"\n[b]\nbrandd = "x"\n[c]\nbrand = 1\n')
    first, second = told(file).splitlines()
    assert first.startswith("Brand kits a, b, brandd: is no field of a brand kit.")
    assert second.startswith("Brand kit c, brand: must be one text")


@pytest.mark.parametrize(
    ("text", "suffix", "message"),
    [
        ("[a]\nbrand = x\n", ".toml", "is no valid TOML: .*line 2"),
        ('[a]\nbrand = "x"\n[a]\n', ".toml", "is no valid TOML: .*line 3"),
        ("a:\n  brand: [x\n", ".yaml", "is no valid YAML: .*line 3"),
        ("a: {}\na: {}\n", ".yml", "is no valid YAML: found duplicate key .*line 2"),
        ("a: 2024-13-45", ".yaml", "is no valid YAML"),
        ("a: !!bool x", ".yaml", "a value in it is not understood"),
        ("a: !!timestamp x", ".yaml", "is no valid YAML"),
        ("a: !!int ''", ".yaml", "a value in it is not understood"),
        ("a: !!float x", ".yaml", "a value in it is not understood"),
        ("a: !!binary é", ".yaml", "is no valid YAML"),
        (
            "",
            ".toml",
            "no brand kits. The smallest one looks like this:\n\\[harbor-roast\\]\nbrand =",
        ),
        (
            "# nothing\n",
            ".yaml",
            "no brand kits. The smallest one looks like this:\nharbor-roast:\n",
        ),
        ("- a\n", ".yaml", "must hold a table for each brand kit"),
    ],
)
def test_a_file_that_is_broken_or_empty_is_refused(text: str, suffix: str, message: str) -> None:
    with pytest.raises(CampaignError, match=f"(?s){message}"):
        read(text, suffix)


def test_the_examples_that_are_given_for_an_empty_file_are_right() -> None:
    for suffix in (".toml", ".yaml"):
        with pytest.raises(CampaignError) as refused:
            read("", suffix)
        example = str(refused.value).split("\n", 1)[1]
        assert [written.kit.name for written in read(example, suffix).kits] == ["harbor-roast"]


@given(
    st.text() | st.text(alphabet="ab-:?[]{}\n \t#&*!|>'\"%@`,019.=~"),
    st.sampled_from(["toml", "yml"]),
)
def test_whatever_is_in_a_file_it_is_read_or_refused(text: str, suffix: str) -> None:
    with contextlib.suppress(CampaignError):
        read(text, f".{suffix}")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes('[a]\nbrand = "Lumière"'.encode("latin-1"))
    cases = [
        (tmp_path, "is a folder"),
        (tmp_path / "none.toml", "There is no file"),
        (ROOT / "examples" / "campaign.csv", "must end in .toml, .yaml, .yml"),
        (latin, "is not UTF-8"),
    ]
    for path, message in cases:
        with pytest.raises(CampaignError, match=message):
            open_kits(str(path), "static-ads-lab")
    latin.write_bytes('\ufeff[a]\nbrand = "Lumière"'.encode())
    assert open_kits(str(latin), "static-ads-lab").problems == ()


def test_a_name_that_prefect_refuses_is_told_with_a_better_one() -> None:
    assert block_name_problem("harbor-roast-2") is None
    for name, better in [("Harbor Roast", "harbor-roast"), ("a_b", "a-b"), (" x\n", "x")]:
        assert f"Call it {better}." in (block_name_problem(name) or "")
    for name in ("", "日本"):
        message = block_name_problem(name) or ""
        assert "cannot be a block's name" in message
        assert "Call it" not in message


@pytest.mark.parametrize("where", ['[a]\ncredentials = "{}"\nbrand = "x"', '[{}]\nbrand = "x"'])
def test_a_key_in_place_of_a_blocks_name_is_not_told(where: str) -> None:
    message = told(read(where.format("sal_live_secret")))
    assert "is an API key" in message
    assert "secret" not in message


def test_a_number_of_thousands_of_digits_is_no_valid_file() -> None:
    for suffix, text in ((".toml", "[a]\nbrand = {}"), (".yaml", "a:\n  brand: {}")):
        with pytest.raises(CampaignError, match="is no valid"):
            read(text.format("9" * 5000), suffix)
