"""A spreadsheet becomes a table of image URLs: the flow, and the command that runs it.

python flows/campaign.py examples/campaign.csv results.csv --simulate
"""

if __name__ == "__main__":
    from prefect_staticadslab.cli.commands.campaign import main
    from prefect_staticadslab.cli.runner import leave

    leave(main())

from prefect_staticadslab.flows.campaign import campaign
