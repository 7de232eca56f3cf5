"""What the API works on: how far it is, what it failed of, and its record of that."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from prefect_staticadslab.api.models.fields import (
    Identifier,
    JsonTree,
    Maybe,
    Moment,
    Pixels,
    Resource,
    Text,
)


class JobProgress(Resource):
    """A hint for people about a running job.

    Attributes:
        step: The API's name of what it does.
        message: The same in words.
        percentage: How far it is, from 0 to 1; None if the API does not say.
    """

    step: Text = ""
    message: Text = ""
    percentage: Maybe[float] = None


class JobError(Resource):
    """Why a job failed.

    Attributes:
        code: The API's code, such as `PIPELINE_ERROR`.
        message: The reason, for people.
    """

    code: Text = ""
    message: Text = ""


class Job(Resource):
    """What an asynchronous job makes: an image ad, or a design template.

    Attributes:
        id: The ad or the template.
        status: `processing`, `completed` or `failed`.
        progress: How far it is, while it runs.
        error: Why it failed.
        width, height: Of the picture, in pixels.
        duration_ms: How long the job took, in milliseconds.
        job_id: The API's own record of the job, where it tells it; see `JobRecord`.
        created_at: When the job began.
        completed_at: When it was completed.
        current_json_tree: The tree of a template or of an editable ad.
    """

    id: Identifier
    status: Text = "processing"
    progress: Maybe[JobProgress] = None
    error: Maybe[JobError] = None
    width: Maybe[Pixels] = None
    height: Maybe[Pixels] = None
    duration_ms: Maybe[float] = None
    job_id: Maybe[Identifier] = None
    created_at: Maybe[Moment] = None
    completed_at: Maybe[Moment] = None
    current_json_tree: Maybe[JsonTree] = None

    @property
    def picture_url(self) -> str | None:
        """The web address of the picture; None until there is one."""
        raise NotImplementedError

    @property
    def price_usd(self) -> Decimal:
        """What it is billed once it is completed, in USD."""
        raise NotImplementedError

    @property
    def is_completed(self) -> bool:
        """Whether the picture is there: `completed`, and with a URL to prove it."""
        return self.status == "completed" and bool(self.picture_url)

    @property
    def is_failed(self) -> bool:
        """Whether the job ended without a picture."""
        return self.status == "failed"

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen. Unknown states count as still processing."""
        return self.is_completed or self.is_failed


class JobRecord(Resource):
    """`GET /v1/jobs/{id}`: the API's own record of a job that some ads name in `job_id`.

    The fields are from the vendor's cookbook.

    Attributes:
        job_id: The record's id.
        type: What kind of job it is.
        status: `pending`, `processing`, `completed`, `failed` or `cancelled`.
        progress: How far it is, a number.
        result: What came of it, of any shape.
        error: Why it failed, for people.
    """

    job_id: Identifier
    type: Maybe[str] = None
    status: Text = "processing"
    progress: Maybe[float] = None
    result: Any = None
    error: Maybe[str] = None
    created_at: Maybe[Moment] = None
    started_at: Maybe[Moment] = None
    completed_at: Maybe[Moment] = None
    updated_at: Maybe[Moment] = None
