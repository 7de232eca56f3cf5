"""What all resources have in common, and all bodies and queries that are sent.

The simulator checks what comes in and builds what goes out with the models of this room, and
`/openapi.json` is made of them, so that the description cannot differ from what is answered.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, SerializationInfo

HOST: Final = "host"
"""What the serializer's context calls the address that the client asked at."""


class Answer(BaseModel):
    """What is answered. A field that is not declared, or of another type, is a mistake of ours."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Body(BaseModel):
    """What is sent. Nothing is taken for another type than it is."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, defer_build=True)


class Query(BaseModel):
    """What is asked for behind a path's question mark."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


BrandId = Annotated[str, Field(pattern="^brand_[0-9a-f]{16}$")]
ProductId = Annotated[str, Field(pattern="^prod_[0-9a-f]{16}$")]
VariantId = Annotated[str, Field(pattern="^pv_[0-9a-f]{16}$")]
AudienceId = Annotated[str, Field(pattern="^aud_[0-9a-f]{16}$")]
ImageId = Annotated[str, Field(pattern="^img_[0-9a-f]{16}$")]
TemplateId = Annotated[str, Field(pattern="^dt_[0-9a-f]{16}$")]
ImageAdId = Annotated[str, Field(pattern="^ia_[0-9a-f]{16}$")]
VersionId = Annotated[str, Field(pattern="^iav_[0-9a-f]{16}$")]
JobId = Annotated[str, Field(pattern="^job_[0-9a-f]{16}$")]

# Ids that are sent are of the right kind, whether or not they exist.
BrandRef = Annotated[str, Field(pattern="^brand_")]
ProductRef = Annotated[str, Field(pattern="^prod_")]
VariantRef = Annotated[str, Field(pattern="^pv_")]
AudienceRef = Annotated[str, Field(pattern="^aud_")]
ImageRef = Annotated[str, Field(pattern="^img_")]
TemplateRef = Annotated[str, Field(pattern="^dt_")]
ImageAdRef = Annotated[str, Field(pattern="^ia_")]
VersionRef = Annotated[str, Field(pattern="^iav_")]

Moment = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        json_schema_extra={"format": "date-time"},
    ),
]
"""ISO 8601 in UTC, to the millisecond."""

JsonObject = dict[str, Any]
"""Free-form, or a tree of nodes: whatever JSON says."""

Name = Annotated[str, Field(min_length=1, pattern=r"\S")]
Pixels = Annotated[int, Field(ge=1)]


def _with_host(path: str, info: SerializationInfo) -> str:
    """A path with this server's address before it; an address that has a host as it is."""
    return f"{info.context[HOST]}{path}" if info.context and path.startswith("/") else path


Url = Annotated[
    str,
    PlainSerializer(_with_host, return_type=str),
    Field(json_schema_extra={"format": "uri"}),
]
"""An address. Of what is served here only the path is known, until somebody asks at a host."""
