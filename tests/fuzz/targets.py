"""All targets by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.fuzz.answers import ANSWERS
from tests.fuzz.names import NAMES
from tests.fuzz.places import PLACES
from tests.fuzz.records import RECORDS
from tests.fuzz.tables import TABLES
from tests.fuzz.target import Target
from tests.fuzz.trees import TREES

TARGETS: Final[Mapping[str, Target]] = {
    target.name: target for target in (*TABLES, *RECORDS, *NAMES, *TREES, *ANSWERS, *PLACES)
}
