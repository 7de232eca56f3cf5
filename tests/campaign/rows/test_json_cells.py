"""JSON in a cell: what comes out of it can be sent and written again."""

from __future__ import annotations

import json

import pytest

from prefect_staticadslab.campaign.job_types.revision_rows import Change
from prefect_staticadslab.campaign.rows.json_cells import MOST_LEVELS, JsonCellError, read_json


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def test_json_is_read_with_what_it_may_hold() -> None:
    text = '{"a": [1.5, -2e10, true, null, "\\ud83d\\ude00 é"], "b": {}}'
    assert read_json(text) == json.loads(text)


def test_the_deepest_that_is_read_can_be_sent_and_written() -> None:
    value = read_json(nested(MOST_LEVELS))
    change = Change(image_ad_id="ia_1", json_patch=[{"op": "add", "path": "/x", "value": value}])
    assert json.loads(json.dumps(value)) == value
    assert Change.model_validate_json(change.model_dump_json()) == change
    with pytest.raises(JsonCellError, match="nested more than 100 levels deep"):
        read_json(nested(MOST_LEVELS + 1))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no JSON: Expecting value"),
        ("{", "is no JSON: Expecting property name"),
        ("[-Infinity]", "is no JSON: it holds -Infinity"),
        ("[1e999]", "1e999 is too large a number"),
        ('{"\\udc00": 1}', r"half of a character, \\udc00"),
        ("[" + "9" * 5000 + "]", "too many digits"),
        ("[" * 1_000_000, "nested more than 100 levels deep"),
    ],
    ids=["empty", "cut", "infinite", "too large", "half a character", "digits", "endless"],
)
def test_what_cannot_be_sent_is_told_in_words(text: str, says: str) -> None:
    with pytest.raises(JsonCellError) as refused:
        read_json(text)
    assert says.replace("\\\\", "\\") in str(refused.value)
