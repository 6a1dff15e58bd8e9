"""`python -m kernels`: the back end in use, its self-test, versions.

`python -m kernels golden [op]` prints the test vectors of this build, of all ops or of one, as JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from kernels import OPS, dispatch, selftest
from kernels.errors import KernelInputError

EXAMPLE = """example:
  python -m kernels                                          which back end is used, and whether it is proved
  GRADUS_KERNELS_BACKEND=auto python -m kernels --output json
  python -m kernels golden decoder                           test vectors of one op"""
LIBRARIES = ("numpy", "numba", "llvmlite", "blake3", "triton", "torch")


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit status: 0, 1 if the back end asked for is not usable, 2 on misuse."""
    options = _parse(arguments)
    is_watched = options.command is None and sys.stderr.isatty()
    try:
        choice = dispatch.choose(_show_progress if is_watched else None)
        if options.command == "golden":
            print(json.dumps(selftest.compute_digests(options.op), indent=1, sort_keys=True))
        elif options.output == "json":
            print(json.dumps(_describe(choice), indent=1))
        else:
            _print_report(choice)
    except KernelInputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 1 if choice.problem else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m kernels", description="The back end in use, its self-test against the reference, versions.",
        epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", choices=("text", "json"), default="text")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    command = commands.add_parser("golden", help="test vectors of this build as JSON: SHA-256 of every case's bytes")
    command.add_argument("op", nargs="?", default="", help="of one op alone")
    return parser.parse_args(arguments)


def _describe(choice: dispatch.Choice) -> dict[str, object]:
    return {
        "backend": choice.backend, "asked": choice.asked, "problem": choice.problem,
        "cases": 0 if choice.backend == "ref" else len(selftest.select_cases(choice.backend)),
        "python": platform.python_version(), "machine": platform.machine(),
        "libraries": {library: _find_version(library) for library in LIBRARIES},
        "ops": {op.name: list(op.calls) for op in OPS},
    }


def _print_report(choice: dispatch.Choice) -> None:
    print(f"back end   {choice.backend}")
    if choice.problem:
        print(f"self-test  {choice.asked} refused: {choice.problem}")
    elif choice.backend == "ref":
        print("self-test  none: ref is the reference")
    else:
        print(f"self-test  passed, {len(selftest.select_cases(choice.backend))} cases equal to ref")
    if choice.backend == "gpu":
        print(f"on the cpu {', '.join(dispatch.CPU_OPS)}")
    print(f"python     {platform.python_version()} on {platform.machine()}")
    for library in LIBRARIES:
        print(f"{library:<10} {_find_version(library)}")
    for op in OPS:
        print(f"{op.name:<10} {', '.join(op.calls)}")


def _find_version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def _show_progress(what: str, done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\r\x1b[K{done}/{total} {what}", end=end, file=sys.stderr, flush=True)
