"""The command that pip installs: what it lists, starts and refuses."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import prefect_staticadslab
from prefect_staticadslab.__main__ import COMMANDS, PATH_ARGUMENTS, SHELLS, _import_command, main
from prefect_staticadslab.cli.commands import deploy
from prefect_staticadslab.cli.console import naming_itself, program_name
from prefect_staticadslab.cli.deployments import deployments_file
from tests.conftest import ROOT
from tests.support.processes import run

Capture = pytest.CaptureFixture[str]


def told(capsys: Capture, *arguments: str, status: int = 0) -> str:
    """All that it says before it ends with this status, on one line."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert (ended.value.code or 0) == status
    said = capsys.readouterr()
    return " ".join((said.out + said.err).split())


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_it_lists_every_command_with_what_it_does(arguments: list[str], capsys: Capture) -> None:
    said = told(capsys, *arguments)
    for name, command in COMMANDS.items():
        assert f" {name} {command.does}" in said


def test_it_tells_its_version(capsys: Capture) -> None:
    assert told(capsys, "--version") == f"staticadslab {prefect_staticadslab.__version__}"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("campain", "campaign"), ("create_ads", "create-ads"), ("catalogue", "catalog")],
)
def test_of_what_is_no_command_it_tells_the_nearest(
    typed: str, meant: str, capsys: Capture
) -> None:
    assert f"'{typed}' is no command; did you mean {meant}?" in told(capsys, typed, status=2)


def test_of_what_is_like_no_command_it_tells_where_they_are_listed(capsys: Capture) -> None:
    assert "staticadslab --help lists them" in told(capsys, "wxyz", status=2)


def test_an_option_before_the_command_is_refused(capsys: Capture) -> None:
    assert "unrecognized arguments: --dry-run" in told(capsys, "--dry-run", "inbox", status=2)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_called_as_it_is_typed(name: str, capsys: Capture) -> None:
    assert told(capsys, name, "--help").startswith(f"usage: staticadslab {name} ")


@pytest.mark.parametrize("file", sorted((ROOT / "flows").glob("*.py")), ids=lambda file: file.stem)
def test_each_file_of_the_flows_is_a_command_called_like_the_file(file: Path) -> None:
    name = file.stem.replace("_", "-")
    assert f"cli.commands.{file.stem} import main" in file.read_text(encoding="utf-8")
    parser = import_module(f"prefect_staticadslab.{COMMANDS[name].module}")._parser()
    assert parser.prog == file.stem


def test_a_flows_module_is_its_command_too() -> None:
    arguments = ("-m", "prefect_staticadslab.flows.create_ads", "--help")
    done = run(*arguments, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.status == 0, done.err
    assert done.out.startswith("usage: staticadslab create-ads ")


def test_a_name_is_given_back_after_the_command() -> None:
    with naming_itself("deploy"):
        assert program_name("x") == "staticadslab deploy"
    assert program_name("x") == "x"


def test_the_status_is_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(deploy, "main", lambda rest: given.append(rest) or 7)  # type: ignore[func-returns-value]
    assert main(["deploy", "--overwrite"]) == 7
    assert given == [["--overwrite"]]


@pytest.mark.parametrize("shell", SHELLS)
def test_it_prints_what_completes_every_command_and_its_options(
    shell: str, capsys: Capture
) -> None:
    said = told(capsys, "--print-completion", shell)
    assert all(name in said for name in COMMANDS)
    assert "max-spend-usd" in said


@pytest.mark.parametrize(
    ("argument", "is_a_place"),
    [
        ("campaign_pos_0", True),
        ("campaign___images_zip", True),
        ("catalog___starter", True),
        ("blocks_pos_0", True),
        ("campaign___encoding", False),
        ("inbox___results", False),
        ("watch_pos_0", False),
        ("watch___prompt", False),
        ("create_ads_pos_0", False),
    ],
)
def test_files_complete_what_is_a_file(argument: str, is_a_place: bool, capsys: Capture) -> None:
    said = told(capsys, "--print-completion", "bash")
    assert (f"_{argument}_COMPGEN=_shtab_compgen_files" in said) is is_a_place


def test_every_place_is_an_argument_of_a_command() -> None:
    parsers = [_import_command(command)._parser() for command in COMMANDS.values()]
    assert {action.dest for parser in parsers for action in parser._actions} >= PATH_ARGUMENTS


def test_bash_completes_an_option(capsys: Capture, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--print-completion", "bash"])
    script = tmp_path / "completion.bash"
    script.write_text(capsys.readouterr().out)
    asked = (
        f"source {script}; COMP_WORDS=(staticadslab campaign --no-w); COMP_CWORD=2; "
        "$(complete -p staticadslab | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["--no-wait"]


@pytest.mark.parametrize("arguments", ["--help", "--version", "deploy --help", "serve --help"])
def test_what_it_says_of_itself_takes_neither_prefect_nor_pandas(arguments: str) -> None:
    code = (
        "import sys\nfrom prefect_staticadslab.__main__ import main\n"
        f"try: main({arguments.split()!r})\nexcept SystemExit: pass\n"
        "print(*(m for m in ('prefect', 'pandas', 'pydantic', 'httpx') if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines()[-1] == ""


# staticadslab deploy


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "prefect.yaml"


def test_deploy_writes_the_packages_file_and_says_how_to_go_on(
    folder: Path, capsys: Capture
) -> None:
    assert main(["deploy"]) == 0
    assert folder.read_text(encoding="utf-8") == deployments_file()
    assert "prefect --no-prompt deploy --all" in capsys.readouterr().out


def test_deploy_twice_changes_nothing(folder: Path, capsys: Capture) -> None:
    assert main(["deploy"]) == main(["deploy"]) == 0
    assert "is there already" in capsys.readouterr().out
    assert folder.read_text(encoding="utf-8") == deployments_file()


@pytest.mark.parametrize("content", [b"name: mine\n", "name: für uns\n".encode("cp1252")])
def test_deploy_leaves_another_file_alone_until_it_is_told_to_replace_it(
    content: bytes, folder: Path, capsys: Capture
) -> None:
    folder.write_bytes(content)
    assert main(["deploy"]) == 2
    assert folder.read_bytes() == content
    assert "stays as it is" in capsys.readouterr().out
    assert main(["deploy", "--overwrite"]) == 0
    assert folder.read_text(encoding="utf-8") == deployments_file()


def test_every_flow_is_deployed() -> None:
    entrypoints = re.findall(r"entrypoint: prefect_staticadslab\.flows\.(\w+)", deployments_file())
    flows = {f.stem for f in (ROOT / "prefect_staticadslab" / "flows").glob("[a-z]*.py")}
    assert set(entrypoints) == flows
