"""`python -m localnet up|down|status|logs` and `python -m localnet node start`, without the installed script."""

from localnet.cli import localnet, node

localnet.add_command(node)

if __name__ == "__main__":
    localnet(prog_name="python -m localnet")
