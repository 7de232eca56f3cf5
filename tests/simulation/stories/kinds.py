"""What drawn campaigns may ask for."""

from __future__ import annotations

from typing import Final

from tests.simulation.stories.job_kinds import ADS
from tests.simulation.stories.other_kinds import REVISIONS, TEMPLATES

KINDS: Final = {"ads": ADS, "templates": TEMPLATES, "revisions": REVISIONS}
"""By name."""
