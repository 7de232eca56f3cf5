"""One image ad, live: the flows that watch one and that create and watch one, and their command.

python flows/watch.py IMAGE_AD_ID
python flows/watch.py --create --design-template ad_format=Sale --brand "Harbor Roast" \\
    --product "Cold Brew Kit" --audience Commuters --simulate
"""

if __name__ == "__main__":
    from prefect_staticadslab.cli.commands.watch import main
    from prefect_staticadslab.cli.runner import leave

    leave(main())

from prefect_staticadslab.flows.watch import create_and_watch, watch
