"""What is known about one row's job, and how a result table holds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

from prefect_staticadslab.api.models import in_utc
from prefect_staticadslab.campaign.files.cells import cell_text
from prefect_staticadslab.campaign.files.formulas import unescape
from prefect_staticadslab.campaign.table.idempotency import idempotency_key, if_key
from prefect_staticadslab.campaign.table.limits import attempts_of, cost_of

T = TypeVar("T")

_EARLIEST_YEAR: Final = 2000
"""A date of an earlier year, or of the last one of the calendar, counts as none."""

_DAY_0: Final = datetime(1899, 12, 30, tzinfo=UTC)  # of a workbook


class RowStatus(StrEnum):
    """Where a row stands."""

    PENDING = "pending"
    """Not sent yet."""
    SUBMITTING = "submitting"
    """Perhaps sent; whether the API has it, only the API knows."""
    PROCESSING = "processing"
    """The API has it and works on it; `image_ad_id` says where."""
    COMPLETED = "completed"
    """The picture is there."""
    FAILED = "failed"
    """The API refused it, or the job failed. It costs nothing."""


REMOVED: Final = "This row is no longer in the spreadsheet; its ad is kept."
"""How the error of a row begins that is only in the result table."""

_SECOND_AD: Final = "Two runs each made an ad for this row; the other one is {}."
"""What the error of a row says of each ad that it has besides its own."""

TRUSTED_LIFETIME: Final = timedelta(hours=20)
"""How long an idempotency key is relied on. The API remembers it for 24 hours from its first use,
and a long campaign may take hours to come to a row."""

SENT_WITHIN: Final = timedelta(hours=1)
"""How long after it was marked a row may be sent; a chunk waits minutes for the rate limit."""


RESULT_COLUMNS: Final = (
    "status",
    "image_ad_id",
    "image_url",
    "error",
    "cost_usd",
    "attempts",
    "width",
    "height",
    "submitted_at",
    "completed_at",
    "image_path",
    "idempotency_key",
    "api_key_hash",
    "request_hash",
)
"""The columns that a campaign's table adds to the spreadsheet's."""

KEY_COLUMNS: Final[Mapping[str, str]] = {name: name for name in RESULT_COLUMNS[-3:]}
"""The last of each result table's columns, and the field of `JobState` that each holds. Tables of
earlier versions lack them."""

AD_COLUMNS: Final[Mapping[str, str]] = {
    name: "job_id" if name == "image_ad_id" else name for name in RESULT_COLUMNS
}
"""The result columns of a table of image ads, and the field of `JobState` that each holds."""

_FIELDS: Final = frozenset(AD_COLUMNS.values())


@dataclass(frozen=True)
class JobState:
    """What is known about one row's ad; the columns that the result table adds.

    Attributes:
        status: Where the row stands.
        job_id: The ad's id, once the API has answered.
        image_url: The picture's URL, once completed.
        error: Why it failed, or what stands in its way.
        cost_usd: What it cost in USD: known once it completed, 0 if it failed.
        attempts: How many creates, each with a key of its own, were begun for this row.
        width, height: The picture's size in pixels.
        submitted_at: When the create was first begun, in UTC; once answered, when that was.
        completed_at: When the job ended, in UTC.
        image_path: Where the picture was downloaded to.
        idempotency_key: What the create is sent with; known until the job has ended.
        api_key_hash: What stands for the API key that it is sent with, without which the
            idempotency key means nothing; see `connection.hash_api_key`.
        asked_at: When a `submitting` row was last about to be sent, in UTC by the API's clock, to
            the microsecond: so no two runs' marks are the same.
        facts: What else is known of jobs that are no image ads, by the names in `JobType.columns`.
        request_hash: What stands for what the row asks for, or asked for if it is no longer in the
            spreadsheet; see `idempotency.request_hash`. It says whose state this is, and is no part
            of what the state is.
    """

    status: RowStatus = RowStatus.PENDING
    job_id: str | None = None
    image_url: str | None = None
    error: str | None = None
    cost_usd: Decimal | None = None
    attempts: int = 0
    width: int | None = None
    height: int | None = None
    submitted_at: datetime | None = None
    completed_at: datetime | None = None
    image_path: str | None = None
    idempotency_key: str | None = None
    api_key_hash: str | None = None
    asked_at: datetime | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    request_hash: str | None = field(default=None, compare=False)

    @property
    def is_completed(self) -> bool:
        """Whether the picture is there."""
        return self.status is RowStatus.COMPLETED

    @property
    def is_processing(self) -> bool:
        """Whether the API has an ad and works on it."""
        return self.status is RowStatus.PROCESSING and self.job_id is not None

    @property
    def has_ad(self) -> bool:
        """Whether there is a job that has not failed."""
        return self.is_processing or self.is_completed

    @property
    def may_have_ad(self) -> bool:
        """Whether there is a job that has not failed, or the row was perhaps sent."""
        return self.has_ad or self.status is RowStatus.SUBMITTING

    @property
    def job_failed(self) -> bool:
        """Whether there was a job, and it failed; a create that was refused has none."""
        return self.status is RowStatus.FAILED and self.job_id is not None

    @property
    def is_unsent(self) -> bool:
        """Whether the row is pending or submitting: no job is known, and one is still wanted."""
        return self.status in (RowStatus.PENDING, RowStatus.SUBMITTING)

    def without_key(self) -> JobState:
        """This state without idempotency key, API key hash and `asked_at`: of a row that is no
        longer on its way."""
        return replace(self, idempotency_key=None, api_key_hash=None, asked_at=None)

    def cells(self, columns: Mapping[str, str] = AD_COLUMNS) -> tuple[Any, ...]:
        """The values of result columns, in their order; see `JobType.columns`.

        The error of a submitting row begins with when it was about to be sent.
        """
        error = self.error
        if self.status is RowStatus.SUBMITTING and (asked_at := _timestamp(self.asked_at, "auto")):
            error = f"{_UNANSWERED.format(asked_at)} {error or ''}".strip()
        values = vars(self) | {
            "status": str(self.status),
            "error": error,
            "cost_usd": None if self.cost_usd is None else float(self.cost_usd),
            "submitted_at": _timestamp(self.submitted_at),
            "completed_at": _timestamp(self.completed_at),
        }
        return tuple(
            values[held] if held in values else self.facts.get(held) for held in columns.values()
        )

    @classmethod
    def from_cells(
        cls, cells: Mapping[str, Any], columns: Mapping[str, str] = AD_COLUMNS
    ) -> JobState:
        """Reads a state from a row's cells. Those that make no sense count as empty; a status that
        makes none is told by the row's job and key: a row that has, or may have, a job keeps it.

        Whoever begins with a table refuses amounts and statuses that make no sense before, by
        `job_type.check_record`. While a run goes on, they must not keep it from saving.

        Args:
            cells: The row's cells, by their columns; others than the result columns are ignored.
            columns: The result columns; see `JobType.columns`.
        """
        text = dict.fromkeys(AD_COLUMNS.values(), "")
        text |= {
            held: unescape(cell_text(cells.get(name)).strip()) for name, held in columns.items()
        }
        status = _status_in(text, has_job_column="job_id" in columns.values())
        attempts = _read_or_none(attempts_of, text["attempts"]) or 0
        sent = _SentWith(None, None, None, text["error"])
        if status in (RowStatus.SUBMITTING, RowStatus.PROCESSING):
            sent = _read_sent_with(text, attempts)
        return cls(
            status=status,
            job_id=text["job_id"] or None,
            image_url=text["image_url"] or None,
            error=sent.error or None,
            cost_usd=_read_or_none(cost_of, text["cost_usd"]),
            attempts=attempts,
            width=_read_or_none(_integer_of, text["width"]),
            height=_read_or_none(_integer_of, text["height"]),
            submitted_at=_read_or_none(_moment_of, text["submitted_at"]),
            completed_at=_read_or_none(_moment_of, text["completed_at"]),
            image_path=text["image_path"] or None,
            idempotency_key=sent.idempotency_key,
            api_key_hash=sent.api_key_hash,
            asked_at=sent.asked_at,
            facts={name: text[name] for name in text if text[name] and name not in _FIELDS},
            request_hash=if_key("request_hash", text["request_hash"]),
        )


def status_of(text: str) -> RowStatus:
    """The status that a result table's cell says; pending if it is empty. Raises `ValueError`."""
    return RowStatus(text.casefold() or RowStatus.PENDING)


def _status_in(text: Mapping[str, str], *, has_job_column: bool) -> RowStatus:
    """A row's status, from its cells by the fields that they hold. `has_job_column` says whether
    one of them holds the job's id: then a row without id is not processing, it may have been sent.
    """
    status = _read_or_none(status_of, text["status"])
    if status is None:  # somebody's own word
        is_sent = if_key("idempotency_key", text["idempotency_key"]) or _SENT.match(text["error"])
        status = RowStatus.SUBMITTING if is_sent else RowStatus.PENDING
        if text["job_id"] or text["completed_at"]:
            status = RowStatus.PROCESSING
    is_lost = status is RowStatus.PROCESSING and has_job_column and not text["job_id"]
    return RowStatus.SUBMITTING if is_lost else status


def _timestamp(moment: datetime | None, timespec: str = "seconds") -> str | None:
    """A moment as ISO 8601 in UTC; None without one, or if its year counts as none."""
    if moment is None or not _EARLIEST_YEAR <= moment.year < MAXYEAR:
        return None
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def _moment_of(text: str) -> datetime:
    """A moment that stands in a cell, in UTC, perhaps as the number of days that a workbook has for
    it. Raises `ValueError` if its year counts as none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _DAY_0 + timedelta(seconds=round(float(text) * 86_400))
    if not _EARLIEST_YEAR <= moment.year < MAXYEAR:
        raise ValueError(moment)
    return in_utc(moment)


def _integer_of(text: str) -> int:
    """A number that stands in a cell, without its fraction. Raises `OverflowError` if infinite."""
    return int(float(text))


def _read_or_none(read: Callable[[str], T], text: str) -> T | None:
    """What `read` makes of a cell's text; None if it says that there is no such thing."""
    try:
        return read(text)
    except (ValueError, OverflowError):
        return None


class _SentWith(NamedTuple):
    """What a row was sent with and when; `error` is the rest of its error, without that."""

    idempotency_key: str | None
    api_key_hash: str | None
    asked_at: datetime | None
    error: str


_UNANSWERED: Final = "Sent at {}; no answer is known."

_SENT = re.compile(
    r"Sent (?:as (?P<campaign>[0-9a-f]+)-(?P<identity>[0-9a-f]+)-(?P<account>[0-9a-f]+) )?"
    r"at (?P<at>[0-9TZ:.-]+); no answer is known\."
)
"""How the error of a row that is on its way begins. Earlier versions told there, too, what its key
was made of."""


def _read_sent_with(text: Mapping[str, str], attempts: int) -> _SentWith:
    """Reads what a row was sent with from its cells, given by the fields that they hold.

    What does not look like a key is none: whoever wrote the table, it goes into a header. A hash is
    only compared: one that a spreadsheet program took for a number is another API key's.
    """
    key = if_key("idempotency_key", text["idempotency_key"])
    key_hash = text["api_key_hash"] or None
    found = _SENT.match(text["error"])
    asked_at = _read_or_none(_moment_of, found["at"]) if found else None
    if found is None or asked_at is None:
        return _SentWith(key, key_hash, None, text["error"])
    if found["account"] and not key and attempts:
        key = idempotency_key(found["campaign"], found["identity"], attempts)
        key_hash = found["account"]
    return _SentWith(key, key_hash, asked_at, text["error"][found.end() :].strip())


def with_picture_of(known: JobState | None, state: JobState) -> JobState:
    """`state` with the image URL of `known`, and its path if it has one; `state` as it is, if it is
    not completed, or `known` is None."""
    if known is None or not state.is_completed:
        return state
    path = known.image_path or state.image_path
    return replace(state, image_url=known.image_url, image_path=path)


def with_removed_note(state: JobState) -> JobState:
    """The state of a row that was removed from the spreadsheet: its error says so, once."""
    error = (state.error or "").removeprefix(REMOVED)
    return replace(state, error=f"{REMOVED} {error.strip()}".strip())


def without_removed_note(state: JobState) -> JobState:
    """The state of a row that is in the spreadsheet, perhaps again: its error does not say that it
    was removed. With a picture's URL it names second ads at the most."""
    error = (state.error or "").removeprefix(REMOVED).strip()
    return with_error(state, None) if state.image_url else replace(state, error=error or None)


def with_error(state: JobState, error: str | None) -> JobState:
    """The state with another error, or with none, that names its second ads as before."""
    return with_second_ads(replace(state, error=error), second_ads(state))


def second_ads(state: JobState) -> list[str]:
    """The ids of ads that were made for the row besides its own, as its error names them."""
    return re.findall(re.escape(_SECOND_AD).replace(r"\{\}", r"(\S+)"), state.error or "")


def with_second_ads(state: JobState, job_ids: Iterable[str]) -> JobState:
    """The state of a row for which these ads were made besides its own: its error names each."""
    known = {state.job_id, *second_ads(state)}
    notes = [_SECOND_AD.format(job_id) for job_id in dict.fromkeys(job_ids) if job_id not in known]
    return replace(state, error=" ".join(filter(None, [state.error, *notes])) or None)
