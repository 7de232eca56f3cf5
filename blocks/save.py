"""Saves the credentials block from the environment, and brand kits from a file.

    SAL_API_KEY=sal_live_… python blocks/save.py
    SAL_API_KEY=sal_live_… python blocks/save.py examples/brand_kits.toml

Safe to run again: what is the same is left alone, and what differs is told and only replaced with
`--overwrite`. The key is never printed.
"""

from prefect_staticadslab.cli.commands.blocks import main

if __name__ == "__main__":
    raise SystemExit(main())
