"""A folder of campaign spreadsheets is worked off: the flow for schedules, and its command.

python flows/inbox.py FOLDER --simulate
"""

if __name__ == "__main__":
    from prefect_staticadslab.cli.commands.inbox import main
    from prefect_staticadslab.cli.runner import leave

    leave(main())

from prefect_staticadslab.flows.inbox import inbox, inbox_campaign
