"""What a spreadsheet program shows for a number, a date or a time under a number format."""

from prefect_staticadslab.campaign.files.number_formats.numbers import general
from prefect_staticadslab.campaign.files.number_formats.shown import (
    BUILTIN_FORMATS,
    show_number,
)

__all__ = ["BUILTIN_FORMATS", "general", "show_number"]
