"""Ads that are typed into the form of Prefect's UI: the flow; no spreadsheet and no file is needed.

It has no command: there, `flows/watch.py --create` makes one ad, and a spreadsheet makes many.
"""

from prefect_staticadslab.flows.create_ads import create_ads
