"""`python -m kernels`: the command of report.py."""

from kernels.command import run

if __name__ == "__main__":
    run("kernels.report")
