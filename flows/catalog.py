"""The catalogue as tables, and additions to it from a table: the flow, and its command.

python flows/catalog.py catalogue.xlsx --simulate
python flows/catalog.py catalogue.xlsx --create examples/catalogue.csv --simulate
python flows/catalog.py --starter campaign.xlsx --simulate
"""

if __name__ == "__main__":
    from prefect_staticadslab.cli.commands.catalog import main
    from prefect_staticadslab.cli.runner import leave

    leave(main())

from prefect_staticadslab.flows.catalog import catalog
