"""`python -m abci_app.cli`: the gradus command without the installed script."""

from abci_app.cli.main import main

main()
