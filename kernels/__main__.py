"""`python -m kernels`: the back end in use, its self-test, versions.

`python -m kernels golden [op]` prints the test vectors of this build, of all ops or of one, as JSON.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from kernels import OPS, dispatch, selftest
from kernels.errors import KernelInputError

USAGE = "usage: python -m kernels [golden [op]]"
LIBRARIES = ("numpy", "numba", "llvmlite", "blake3", "triton", "torch")


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit status: 0, 1 if the back end asked for is not usable, 2 on misuse."""
    if arguments and (arguments[0] != "golden" or len(arguments) > 2):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        choice = dispatch.choose(_show_progress if not arguments and sys.stderr.isatty() else None)
        if arguments:
            digests = selftest.compute_digests(*arguments[1:])
            print(json.dumps(digests, indent=1, sort_keys=True))
        else:
            _print_report(choice)
    except KernelInputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 1 if choice.problem else 0


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
