"""Reference ads become design templates: the flow, and the command that runs it.

python flows/design_templates.py examples/references templates.csv --simulate
"""

if __name__ == "__main__":
    from prefect_staticadslab.cli.commands.design_templates import main
    from prefect_staticadslab.cli.runner import leave

    leave(main())

from prefect_staticadslab.flows.design_templates import design_templates
