"""Design templates."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from prefect_staticadslab.simulator.model.resources.base import (
    Answer,
    Body,
    JsonObject,
    Moment,
    Pixels,
    TemplateId,
    Url,
)
from prefect_staticadslab.simulator.model.trees import check_tree

JobState = Literal["processing", "completed", "failed"]

LONGEST_SUMMARY: Final = 500
"""Characters of an update's `change_summary`."""

EntireTree = Annotated[JsonObject, AfterValidator(check_tree)]
"""A tree of nodes from its root, a `FRAME`, on; never a part of one."""


class JobError(Answer):
    """Why a job failed."""

    code: str
    message: str


class DesignTemplate(Answer):
    """A layout that ads are made with."""

    id: TemplateId
    reference_image_url: Url | None
    status: JobState
    error: JobError | None
    current_json_tree: JsonObject | None
    preview_url: Url | None
    width: Pixels | None
    height: Pixels | None
    aspect_ratio: str | None
    industry: str | None
    ad_format: str | None
    json_tree_version: int
    duration_ms: int | None
    created_at: Moment
    updated_at: Moment


class NewDesignTemplate(Body):
    """A template to make from a reference: a file in a form, or an address in JSON."""

    file: Annotated[bytes, Field(json_schema_extra={"format": "binary"})]


class NewDesignTemplateFromUrl(Body):
    """A template to make from the reference at an address."""

    reference_image_url: str


class DesignTemplateChange(Body):
    """Another tree for a template."""

    current_json_tree: EntireTree
    change_summary: Annotated[str, Field(max_length=LONGEST_SUMMARY)] | None = None
