"""The pictures of an earlier result table: the flow, and the command that runs it.

python flows/download.py results.csv pictures --images-zip pictures.zip
"""

if __name__ == "__main__":
    from prefect_staticadslab.cli.commands.download import main
    from prefect_staticadslab.cli.runner import leave

    leave(main())

from prefect_staticadslab.flows.download import download_images
