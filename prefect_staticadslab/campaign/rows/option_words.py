"""The options of a saved brand kit in words, which a form has people choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
)

from prefect_staticadslab.api.models import INVENT_COPY, INVENT_PICTURES, ImageAdOptions

NOT_SAID: Final = "As Static Ads Lab decides"
OptionWord = Literal["As Static Ads Lab decides", "Yes", "No"]

_WORDS: Final[Mapping[bool | None, OptionWord]] = {None: NOT_SAID, True: "Yes", False: "No"}
_VALUES: Final = {word: value for value, word in _WORDS.items()}


class _Form(BaseModel):
    """The options in a form: a drop-down each, where `bool | None` would be two tabs."""

    model_config = ConfigDict(title="Options")

    generate_ai_images: Annotated[OptionWord, INVENT_PICTURES] = NOT_SAID
    generate_copy: Annotated[OptionWord, INVENT_COPY] = NOT_SAID


def _from_words(written: object) -> object:
    """Saved options with `True`, `False` or None for the words; anything else is left as it is.

    Earlier versions saved the values themselves.
    """
    if not isinstance(written, Mapping):
        return written
    return {name: _VALUES.get(value, value) for name, value in written.items()}


def _to_words(options: ImageAdOptions) -> dict[str, str]:
    """The options as they are saved: each by its name, in words."""
    return {name: _WORDS[getattr(options, name)] for name in ImageAdOptions.model_fields}


def _form_schema() -> dict[str, Any]:
    """The JSON schema that Prefect's pages make the form of."""
    schema = _Form.model_json_schema()
    del schema["description"]
    return schema


SavedOptions = Annotated[
    ImageAdOptions,
    BeforeValidator(_from_words),
    PlainSerializer(_to_words),
    WithJsonSchema(_form_schema()),
]
"""`ImageAdOptions` to Python, and words in forms and in what is saved."""


def read_saved_options(saved: object) -> ImageAdOptions:
    """The options that a saved brand kit holds, in words or as an earlier version saved them.

    Raises:
        pydantic.ValidationError: They are neither.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.option_words import read_saved_options

        assert read_saved_options({"generate_copy": "No"}).generate_copy is False
        assert read_saved_options({"generate_copy": None}).generate_copy is None
        ```
    """
    return _ADAPTER.validate_python(saved)


_ADAPTER: Final[TypeAdapter[ImageAdOptions]] = TypeAdapter(SavedOptions)
