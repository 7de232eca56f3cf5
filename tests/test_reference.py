"""The reference is what the docstrings say now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import prefect_staticadslab
from tests.conftest import ROOT
from tests.documentation import Page

REFERENCE = Page("docs/reference.md")


def test_the_reference_is_what_its_script_makes(tmp_path: Path) -> None:
    made = tmp_path / "reference.md"
    subprocess.run([sys.executable, "scripts/make_reference.py", made], cwd=ROOT, check=True)
    assert REFERENCE.text == made.read_text(encoding="utf-8"), "run `make reference`"


def test_the_reference_has_whatever_is_public() -> None:
    assert set(prefect_staticadslab.__all__) - {"__version__"} <= set(REFERENCE.headings)
