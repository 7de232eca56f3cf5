"""The reference is what the docstrings say now."""

from __future__ import annotations

import os
from pathlib import Path

import prefect_staticadslab
from tests.project.pages import Page
from tests.support.processes import run

REFERENCE = Page("docs/reference.md")


def test_the_reference_is_what_its_script_makes(tmp_path: Path) -> None:
    made = tmp_path / "reference.md"
    done = run("scripts/make_reference.py", str(made), env=os.environ)
    assert done.status == 0, done.err
    assert REFERENCE.text == made.read_text(encoding="utf-8"), "run `make reference`"


def test_the_reference_has_whatever_is_public() -> None:
    assert set(prefect_staticadslab.__all__) - {"__version__"} <= set(REFERENCE.headings)
