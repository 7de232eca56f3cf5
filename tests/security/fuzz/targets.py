"""All targets by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.security.fuzz.answers import ANSWERS
from tests.security.fuzz.names import NAMES
from tests.security.fuzz.places import PLACES
from tests.security.fuzz.records import RECORDS
from tests.security.fuzz.tables import TABLES
from tests.security.fuzz.target import Target
from tests.security.fuzz.trees import TREES

TARGETS: Final[Mapping[str, Target]] = {
    target.name: target for target in (*TABLES, *RECORDS, *NAMES, *TREES, *ANSWERS, *PLACES)
}
