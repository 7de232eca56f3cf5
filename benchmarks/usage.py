"""`python usage.py FILE SECONDS COMMAND…`: runs a command and writes what it used into a file.

A small process of its own, because Linux counts the memory of whoever starts a process as the new
one's. A command that takes longer than so many seconds is ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def main() -> None:
    file, seconds, *command = sys.argv[1:]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + float(seconds)
    timed_out = False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            break
        if time.monotonic() > deadline and not timed_out:
            timed_out = True
            process.kill()
        time.sleep(0.05)
    used = {
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_kibibytes": usage.ru_maxrss,
        "timed_out": timed_out,
    }
    with open(file, "w", encoding="utf-8") as out:  # noqa: PTH123
        json.dump(used, out)


if __name__ == "__main__":
    main()
