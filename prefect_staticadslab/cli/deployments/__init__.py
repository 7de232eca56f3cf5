"""What is deployed of this package: the text of a `prefect.yaml`, which is data of the package."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

FILE: Final = "prefect.yaml"
"""What Prefect calls it: it looks for it in the folder that `prefect deploy` is typed in."""


def deployments_file() -> str:
    """The text of a `prefect.yaml` that deploys all flows, as they are where pip has put them."""
    return files(__name__).joinpath(FILE).read_text(encoding="utf-8")
