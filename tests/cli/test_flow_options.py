"""A command's options say what its flow says, and the flow gets what was given."""

from __future__ import annotations

import argparse
import importlib
import re

import pytest
from prefect import flow

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.cli.commands import campaign
from prefect_staticadslab.cli.flow_options import add_flow_options, arguments_of, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow


@flow(name="sample", description="Makes a sample.")
def sample(
    output: str,
    credentials: StaticAdsLabCredentials,
    campaign_name: str = "",
    attempts: int = 2,
    share: float = 0.5,
    timeout_seconds: float = 600,
    max_spend_usd: float = 50.0,
    dry_run: bool = False,
    wait: bool = True,
    time_zone: str = "UTC",
    more_credentials: list[StaticAdsLabCredentials] = [],  # noqa: B006
) -> None:
    """Makes a sample.

    Args:
        output: A .csv or .tsv with a column `kind`; a path
            or a URL. The same output goes on.
        credentials: The API key to use.
        campaign_name: API names are left alone.
        attempts: How often to try. A failed one is free.
        share: How much of it, at most 100% of 1.00.
        timeout_seconds: How long to wait. 0 is not at all.
        max_spend_usd: What it may cost.
        dry_run: Only check.
        wait: Wait for it. Otherwise end at once.
        time_zone: Whose {date} it is. {time} is the same.
        more_credentials: Further keys.
    """


SAMPLE = read_flow("test_flow_options", "sample", package="tests.cli")


def parser_of(**options: object) -> argparse.ArgumentParser:
    """A parser with the options of the sample."""
    parser = flow_parser(SAMPLE, more="It is small.", epilog="Exit status: 0.")
    add_flow_options(parser, SAMPLE, **options)  # type: ignore[arg-type]
    return parser


def told(parser: argparse.ArgumentParser) -> str:
    """A help text on one line, however wide the terminal is."""
    return " ".join(parser.format_help().split())


def test_required_parameters_come_first_and_the_others_are_options() -> None:
    given = parser_of().parse_args(["out.csv"])
    assert vars(given) == {
        "output": "out.csv",
        "campaign_name": "",
        "attempts": 2,
        "share": 0.5,
        "timeout_seconds": 600,
        "max_spend_usd": 50,
        "dry_run": False,
        "wait": True,
        "time_zone": "UTC",
    }


def test_what_is_given_has_the_type_of_the_parameter() -> None:
    line = (
        "out.csv --attempts 3 --share 1 --timeout-seconds 9 --dry-run --no-wait --campaign-name N"
    )
    given = parser_of().parse_args(line.split())
    assert (given.attempts, given.share, given.timeout_seconds) == (3, 1.0, 9.0)
    assert (given.dry_run, given.wait, given.campaign_name) == (True, False, "N")


def test_an_option_may_be_shortened() -> None:
    assert parser_of().parse_args(["out.csv", "--att", "3", "--dry"]).attempts == 3


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--attempts=0", "'0' is not a whole number of 1 or more"),
        ("--attempts=1.5", "'1.5' is not a whole number of 1 or more"),
        ("--timeout-seconds=0", "'0' is not a number above 0"),
        ("--timeout-seconds=inf", "'inf' is not a number above 0"),
        ("--timeout-seconds=nan", "'nan' is not a number above 0"),
        ("--max-spend-usd=-1", "'-1' is not an amount in USD, 0 or more"),
        ("--max-spend-usd=1,000", "'1,000' can be read in two ways: write it without a separator"),
        ("--max-spend-usd=12,000", "'12,000' can be read in two ways"),
        ("--share=half", "invalid float value: 'half'"),
    ],
)
def test_a_number_out_of_bounds_is_refused(
    option: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser_of().parse_args(["out.csv", option])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "OUTPUT a .csv or .tsv with a column 'kind'; a path or a URL options:",
        "--campaign-name NAME API names are left alone --attempts",
        "--attempts N how often to try (2) --share",
        "--share SHARE how much of it, at most 100% of 1.00 (0.5) --timeout",
        "--timeout-seconds S how long to wait (600) --max",
        "--max-spend-usd X what it may cost (50) --dry-run",
        "--dry-run only check --no-wait",
        "--no-wait end at once --time-zone",
        "--time-zone ZONE whose {date} it is (UTC) Exit",
    ],
)
def test_the_help_is_the_first_sentence_of_the_docstring_and_the_default(line: str) -> None:
    assert line in told(parser_of())


def test_the_command_is_called_like_its_module_and_described_like_its_flow() -> None:
    assert "usage: test_flow_options [-h]" in told(parser_of())
    assert "Makes a sample. It is small." in told(parser_of())


def test_an_option_may_be_called_otherwise() -> None:
    parser = parser_of(names={"campaign_name": "--campaign"})
    assert parser.parse_args(["out.csv", "--campaign", "N"]).campaign_name == "N"


def test_a_required_parameter_with_an_option_may_be_left_out() -> None:
    parser = parser_of(names={"output": "--output"})
    assert parser.parse_args([]).output == ""
    assert parser.parse_args(["--output", "out.csv"]).output == "out.csv"


def test_a_command_can_tell_that_an_option_was_not_given() -> None:
    parser = parser_of(unset=["max_spend_usd"])
    assert parser.parse_args(["out.csv"]).max_spend_usd is None
    assert parser.parse_args(["out.csv", "--max-spend-usd", "0"]).max_spend_usd == 0
    assert "what it may cost --dry-run" in told(parser)


def test_a_parameter_can_be_left_to_the_command() -> None:
    parser = parser_of(without=["output"])
    assert "output" not in vars(parser.parse_args([]))


def test_a_flow_gets_what_was_given_but_for_what_the_command_says_instead() -> None:
    key = StaticAdsLabCredentials(api_key="sal_live_x")
    given = parser_of().parse_args(["out.csv", "--attempts", "3", "--no-wait"])
    arguments = arguments_of(given, SAMPLE, credentials=key, more_credentials=[], max_spend_usd=7.0)
    assert arguments == {
        **vars(given),
        "credentials": key,
        "more_credentials": [],
        "max_spend_usd": 7.0,
    }


def test_an_argument_that_nobody_gives_is_not_forgotten() -> None:
    given = parser_of().parse_args(["out.csv"])
    with pytest.raises(AttributeError, match="credentials"):
        arguments_of(given, SAMPLE)


# The commands


@pytest.mark.parametrize(
    ("name", "line", "instead"),
    [
        ("campaign.campaign", "in.csv out.csv", ["credentials", "more_credentials"]),
        ("catalog.catalog", "out.xlsx", []),
        ("design_templates.design_templates", "in out.csv", []),
        ("download.download_images", "in.csv folder", []),
        ("inbox.inbox", "folder", []),
        ("revise.revise", "in.csv out.csv", []),
        ("watch.watch", "ia_1", []),
        ("watch.create_and_watch", "--create", []),
    ],
)
def test_a_command_has_all_that_its_flow_takes(name: str, line: str, instead: list[str]) -> None:
    file, _, function = name.partition(".")
    module = importlib.import_module(f"prefect_staticadslab.cli.commands.{file}")
    called = read_flow(file, function)
    given = module._parser().parse_args(line.split())
    given.credentials = None
    arguments = arguments_of(given, called, **dict.fromkeys(instead))
    for key, value in arguments.items():
        parameter = called.parameters[key]
        if not parameter.is_required and value is not None:
            assert value == parameter.default, key


@pytest.mark.parametrize(
    "file",
    ["campaign", "catalog", "design_templates", "download", "inbox", "revise", "watch"],
)
def test_every_option_of_a_command_says_what_it_does(file: str) -> None:
    parser = importlib.import_module(f"prefect_staticadslab.cli.commands.{file}")._parser()
    said = parser.format_help().partition("options:\n")[2].partition("\n\n")[0]
    assert parser.prog == file
    for option in re.split(r"\n  (?=-)", said):
        assert len(option.split()) > 3, option


@pytest.mark.parametrize(("told", "usd"), [("1000", 1000), ("12,50", 12.5), ("0,7", 0.7)])
def test_an_amount_may_have_a_decimal_comma(told: str, usd: float) -> None:
    assert parser_of().parse_args(["out.csv", f"--max-spend-usd={told}"]).max_spend_usd == usd


def test_zero_is_all_where_the_help_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    parser = campaign._parser()
    assert parser.parse_args(["in.csv", "out.csv", "--first=0"]).first == 0
    with pytest.raises(SystemExit):
        parser.parse_args(["in.csv", "out.csv", "--first=-1"])
    assert "'-1' is not a whole number of 0 or more" in capsys.readouterr().err
