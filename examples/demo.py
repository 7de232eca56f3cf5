"""What `make demo` runs: the campaign command on the simulator, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("demo")


def main() -> int:
    """Makes `demo/` anew and runs the example campaign into it. Returns the command's status."""
    os.chdir(ROOT)
    # The state of an earlier demo would make this one a resumed run with nothing to do.
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    table, pictures = FOLDER / "results.csv", FOLDER / "pictures"
    command = ["flows/campaign.py", "examples/campaign.csv", str(table)]
    options = ["--simulate", "--prefect", "--download-images", str(pictures)]
    print("$", " ".join(["python", *command, *options]), flush=True)
    # A Prefect server of its own, whatever this machine has configured, that tells nobody.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    environment["PREFECT_HOME"] = str(ROOT / ".venv" / "demo-prefect")
    environment |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    status = subprocess.run(
        [sys.executable, *command, *options], env=environment, check=False
    ).returncode
    if status == 0:
        print()
        print(f"The table:    {table.resolve()}")
        print(f"The pictures: {table.with_suffix('.html').resolve()} (open it in a browser)")
    return status


if __name__ == "__main__":
    sys.exit(main())
