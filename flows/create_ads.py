"""Ads that are typed into the form of Prefect's UI: the flow, and a command that does the same.

python flows/create_ads.py harbor-roast-sale results.csv --prompt "Iced, by the sea"
"""

if __name__ == "__main__":
    from prefect_staticadslab.cli.commands.create_ads import main
    from prefect_staticadslab.cli.runner import leave

    leave(main())

from prefect_staticadslab.flows.create_ads import create_ads
