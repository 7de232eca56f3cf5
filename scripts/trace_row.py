"""What one row of ids passes on its way to httpx and back: functions and modules of the package.

python scripts/trace_row.py [--list]

The row is created, followed and completed on a simulator, in a flow run with a temporary Prefect
server, as the campaign's command does it. Counted is each function of the package that is entered,
by `sys.setprofile`, in whatever thread; comprehensions and lambdas belong to the function that they
stand in.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = f"{ROOT / 'prefect_staticadslab'}{os.sep}"
SIMULATOR = f"{PACKAGE}simulator{os.sep}"
sys.path.insert(0, str(ROOT))

ROW_TIMEOUT_SECONDS = 60
STARTUP_SECONDS = 120


def main() -> None:
    """Runs a row, and prints the counts."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PREFECT_HOME"] = folder
        os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
        codes = _codes_of_a_row(Path(folder))
    functions = {(code.co_filename, _function(code)) for code in codes}
    modules = Counter(file.removeprefix(PACKAGE) for file, _ in functions)
    rooms = Counter(module.rpartition("/")[0] or "." for module in modules.elements())
    print(f"{len(functions)} functions in {len(modules)} modules")
    for room, count in sorted(rooms.items()):
        print(f"{count:5} {room}")
    if "--list" in sys.argv:
        for file, name in sorted(functions):
            print(file.removeprefix(PACKAGE), name)


def _codes_of_a_row(folder: Path) -> set[CodeType]:
    from prefect.testing.utilities import prefect_test_harness

    from prefect_staticadslab import StaticAdsLabCredentials
    from prefect_staticadslab.flows.campaign import campaign
    from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
    from tests.conftest import write_campaign

    spreadsheet = write_campaign(folder, "One ad")
    codes: set[CodeType] = set()

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            codes.add(frame.f_code)

    server = prefect_test_harness(server_startup_timeout=STARTUP_SECONDS)
    with server, SimulatorServer(speed=30) as simulator:
        credentials = StaticAdsLabCredentials.model_validate(
            {"api_key": SIMULATOR_API_KEY, "base_url": simulator.url}
        )
        threading.setprofile(profile)
        sys.setprofile(profile)
        try:
            state = campaign(
                spreadsheet,
                str(folder / "out.csv"),
                credentials,
                timeout_seconds=ROW_TIMEOUT_SECONDS,
                return_state=True,
            )
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
    if not state.is_completed():
        raise SystemExit(f"The row was not completed: {state.message}")
    return {code for code in codes if not code.co_filename.startswith(SIMULATOR)}


def _function(code: CodeType) -> str:
    return code.co_qualname.split(".<locals>.<")[0].removesuffix(".<module>")


if __name__ == "__main__":
    main()
