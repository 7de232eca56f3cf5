"""Editable ads are changed and rendered anew: the flow, and the command that runs it.

python flows/revise.py revisions.csv revised.csv
"""

if __name__ == "__main__":
    from prefect_staticadslab.cli.commands.revise import main
    from prefect_staticadslab.cli.runner import leave

    leave(main())

from prefect_staticadslab.flows.revise import revise
