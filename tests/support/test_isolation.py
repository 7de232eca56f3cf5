"""What one test leaves behind for the next one in its process."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages

from prefect_staticadslab import api
from tests.conftest import KNOWN_OF_APIS


def test_all_that_a_process_knows_of_an_api_is_forgotten_after_a_test() -> None:
    # A clock that was hours off, of a simulator that had the same port, kept a row from being sent.
    modules = [import_module(m.name) for m in walk_packages(api.__path__, f"{api.__name__}.")]
    remembered = {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, dict) and name.islower() and not name.startswith("__")
    }
    assert len(remembered) >= len(KNOWN_OF_APIS)
    left = [name for name, held in remembered.items() if not any(held is k for k in KNOWN_OF_APIS)]
    assert left == []
