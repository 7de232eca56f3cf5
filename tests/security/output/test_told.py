"""A file that is none of ours is not told in a message, not even its first line."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_staticadslab.brand_kits.kit_file import open_kits
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.cli.commands.campaign import main as campaign_command
from prefect_staticadslab.cli.commands.design_templates import main as templates_command
from prefect_staticadslab.cli.commands.revise import main as revise_command

SECRETS = {
    "an .env": "PREFECT_API_KEY=pnu_hunter2\nAWS_SECRET=hunter2\n",
    "a .netrc": "machine api.example.com login me password hunter2\nmachine b\n",
    "a key": "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n",
    "passwords": "root:hunter2:20000:0:99999:7:::\nmail:hunter2:::::::\n",
    "a table": "hunter2,hunter2a,hunter2b\n1,2,3\n",
    "a tabbed table": "hunter2\thunter2a\thunter2b\n1\t2\t3\n",
    "a statement": "account;hunter2;balance\n1;2;3\n",
    "almost a column": "brand_hunter2_is_the_password,x\n1,2\n",
}

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAL_API_KEY", "sal_live_x")
    monkeypatch.setenv("SAL_BASE_URL", "http://127.0.0.1:9")


@pytest.mark.parametrize("content", SECRETS.values(), ids=SECRETS.keys())
@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (campaign_command, "The column brand_id is missing."),
        (revise_command, "The column image_ad_id is missing."),
        (templates_command, "There is no column with reference ads."),
    ],
)
def test_a_table_that_has_no_column_of_ours_is_not_told(
    tmp_path: Path, capsys: Capture, content: str, command: object, missing: str
) -> None:
    (tmp_path / "secrets.csv").write_text(content)
    assert callable(command)
    assert command([str(tmp_path / "secrets.csv"), str(tmp_path / "out.csv")]) == 2
    said = capsys.readouterr().err
    assert "hunter2" not in said
    assert "BEGIN" not in said
    assert missing in said
    assert "The first row has" in said


@pytest.mark.parametrize(
    ("command", "header", "told"),
    [
        (campaign_command, "Brand,Product,Audiences,Template", "Brand, Product, Audiences, Templa"),
        (campaign_command, "brand_ids,SKU,Price", "brand_ids, SKU, Price"),
        (campaign_command, "Prompt,SKU", "Prompt, SKU"),
        (revise_command, "image_ad,json_patch", "image_ad, json_patch"),
        (revise_command, "ad,Node_Overrides", "ad, Node_Overrides"),
        (templates_command, "References,Note", "References, Note"),
    ],
)
def test_a_header_with_a_column_of_ours_or_nearly_is_told(
    tmp_path: Path, capsys: Capture, command: object, header: str, told: str
) -> None:
    (tmp_path / "in.csv").write_text(f"{header}\n" + ",".join("x" for _ in header.split(",")))
    assert callable(command)
    assert command([str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]) == 2
    assert f"The spreadsheet's columns are: {told}" in capsys.readouterr().err


BROKEN = {
    ".toml": [
        "PREFECT_API_KEY=pnu_hunter2",
        "hunter2 hunter2",
        "a = 1\na.hunter2 = 2",
        "[hunter2]\n[hunter2]",
        "[a]\nb = {hunter2 = 1, hunter2 = 2}",
        'a = "hunter2',
        'a = "hunter2\\q"',
        "a = [hunter2]",
        "a = 'x' hunter2",
        "[hunter2",
        'hunter2 = "\x01"',
        "hunter2 = 2024-13-45",
        "a = {hunter2",
        "[[hunter2]]\n[hunter2]",
        "[hunter2.x]\n[[hunter2]]",
        "hunter2 = " + "9" * 5000,
        "hunter2 = " + "[" * 5000,
        "x (at line 1, column 1) hunter2",
    ],
    ".yaml": [
        "PREFECT_API_KEY: hunter2: x",
        "hunter2: 1\nhunter2: 2",
        "a: *hunter2",
        "a: !hunter2 x",
        "a: [hunter2\nb: 1",
        "a: 'hunter2",
        "@hunter2",
        "a: hunter2\n\tb: 1",
        "a: %hunter2\n%hunter2",
        "hunter2: \x01",
        "hunter2: 2024-13-45",
        "hunter2: " + "9" * 5000,
        "hunter2: " + "[" * 5000,
        "{hunter2: 1, [hunter2]: 2}",
        "-----BEGIN KEY-----\nhunter2\n-----END KEY-----",
        "hunter2",
        "- hunter2",
    ],
}


@pytest.mark.parametrize(
    ("suffix", "text"),
    [(suffix, text) for suffix, texts in BROKEN.items() for text in texts],
    ids=lambda value: value[:30],
)
def test_a_line_that_is_no_toml_or_yaml_is_not_told(tmp_path: Path, suffix: str, text: str) -> None:
    (tmp_path / f"kits{suffix}").write_text(text)
    with pytest.raises(CampaignError) as refused:
        open_kits(str(tmp_path / f"kits{suffix}"), "static-ads-lab")
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(refused.value.__cause__)


@pytest.mark.parametrize(
    ("suffix", "text", "says"),
    [
        (".toml", "[a]\nbrand = x", "Invalid value (at line 2, column 9)"),
        (
            ".toml",
            "[a]\nbrand",
            "Expected '=' after a key in a key/value pair (at end of document)",
        ),
        (".toml", "[a]\n[a]", "Cannot declare (at line 2, column 3)"),
        (".yaml", "a:\n  brand: [x", "expected ',' or ']' (at line 2, column 12)"),
        (".yaml", "a: 1\na: 2", "found duplicate key (at line 2, column 1)"),
    ],
)
def test_a_mistake_is_told_by_its_place_and_kind(
    tmp_path: Path, suffix: str, text: str, says: str
) -> None:
    (tmp_path / f"kits{suffix}").write_text(text)
    with pytest.raises(CampaignError) as refused:
        open_kits(str(tmp_path / f"kits{suffix}"), "static-ads-lab")
    assert says in str(refused.value)


@pytest.mark.parametrize("tag", ["bool", "int", "float", "timestamp", "omap", "set"])
def test_a_tag_that_does_not_fit_is_a_mistake_in_words(tmp_path: Path, tag: str) -> None:
    (tmp_path / "kits.yaml").write_text(f'a: !!{tag} x[a] brand = "x"\n')
    with pytest.raises(CampaignError, match="is no valid YAML"):
        open_kits(str(tmp_path / "kits.yaml"), "static-ads-lab")


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".toml", 'hunter2 = "hunter2"\npassword = "hunter2"'),
        (".toml", '[database]\npassword = "hunter2"\nhunter2 = 1'),
        (".yaml", "password: hunter2\nhunter2: [1]"),
        (".yaml", "users:\n  hunter2: {token: hunter2}"),
    ],
)
def test_a_file_that_holds_no_brand_kit_is_not_told(tmp_path: Path, suffix: str, text: str) -> None:
    (tmp_path / f"config{suffix}").write_text(text)
    with pytest.raises(CampaignError, match="holds no brand kits: none of its entries") as refused:
        open_kits(str(tmp_path / f"config{suffix}"), "static-ads-lab")
    assert "hunter2" not in str(refused.value)
