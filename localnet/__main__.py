"""`python -m localnet up|down|status|logs|demo` and `python -m localnet node start`, without the installed script."""

import sys

from abci_app.cli.main import main

if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(arguments if arguments[:1] == ["node"] else ["localnet", *arguments])
