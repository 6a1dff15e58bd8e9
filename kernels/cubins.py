"""`python -m kernels.cubins`: compiles every kernel of the gpu back end for sm_90, without a GPU, and shows its size.

It records what products and local steps of usual size and the self-test's first case of each op launch (with `--all`
every case, with `--budgets` a few kernels alone), with the block sizes of a device, and hands each kernel of each types
to Triton's compiler and its own ptxas. Hot kernels have budgets of instructions (cubin_budgets.py), which it counts in
the machine code. Needs a process without TRITON_INTERPRET. Writes nothing but Triton's cache.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kernels import cubin_budgets
from kernels.command import run

CAPABILITY = 90
WARP_THREADS = 32
TOOLS = "backends/nvidia/bin"
POINTER_BYTES = 16
OPTIONS = ("num_warps", "num_stages")
NO_COMPILER = 2
USAGE = "usage: python -m kernels.cubins [--all | --budgets]"
INSTRUCTION = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(@!?U?P\w+\s+)?([A-Z]\w*)(.*?);", re.MULTILINE)
BLOCK_OPS = ("activation", "attention", "embedding", "norm", "residual")
USUAL_HEAD_DIM = 64


class Variant(NamedTuple):
    """A kernel as a launch compiles it: types of its arguments, values of its constexpr ones, options."""

    kernel: Any
    signature: tuple[tuple[str, str], ...]
    constants: tuple[tuple[str, Any], ...]
    options: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """Its kernel's module and name, and the constexpr values."""
        values = ", ".join(f"{name}={value}" for name, value in (*self.constants, *self.options))
        return f"{self.path}({values})"

    @property
    def path(self) -> str:
        """Its kernel's module and name."""
        return f"{self.kernel.fn.__module__.removeprefix('kernels.')}.{self.kernel.fn.__name__}"

    def find_budget(self) -> cubin_budgets.Budget | None:
        """Its budget, if it has one."""
        compute = cubin_budgets.BUDGETS.get(self.path)
        return compute({**dict(self.constants), **dict(self.options)}) if compute else None


class Size(NamedTuple):
    """What a compiled kernel takes: registers and bytes of stack for each thread, bytes of shared memory.

    instructions: of its machine code; loop: those in its longest loop; least: those of the shortest way through it.
    """

    registers: int
    stack: int
    shared: int
    has_tensor_cores: bool
    instructions: int
    loop: int
    least: int


class Launches:
    """The variants of recorded launches, each with the alignment of the first that had it."""

    def __init__(self) -> None:
        self.found: dict[Variant, dict[tuple[int, ...], Any]] = {}

    def record(self, kernel: Any, args: tuple[Any, ...], settings: dict[str, Any]) -> None:
        """Note a launch; kernels.device calls it."""
        options = tuple((name, settings[name]) for name in OPTIONS if name in settings)
        constants = tuple((name, value) for name, value in settings.items() if name not in OPTIONS)
        types: list[tuple[str, str]] = []
        attributes: dict[tuple[int, ...], Any] = {}
        for index, (name, value) in enumerate(zip(kernel.arg_names, args)):
            is_changing = name in (kernel.do_not_specialize or ())
            if isinstance(value, int) and value == 1 and not is_changing:
                constants += ((name, 1),)  # as a launch does
                continue
            types.append((name, _name_type(value)))
            if not isinstance(value, int) or (value % POINTER_BYTES == 0 and not is_changing):
                attributes[(index,)] = [["tt.divisibility", POINTER_BYTES]]
        self.found.setdefault(Variant(kernel, tuple(types), constants, options), attributes)


def main(arguments: list[str]) -> int:
    """Compile and print; returns 0, 1 if a kernel spills or exceeds its budget, 2 if this process cannot compile."""
    problem = find_problem() if arguments in ([], ["--all"], ["--budgets"]) else USAGE
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return NO_COMPILER
    launches = record_launches(list_budgeted() if arguments == ["--budgets"] else list_calls(bool(arguments)))
    print(f"{'kernel for sm_' + str(CAPABILITY):<110}{'registers':>10}{'stack':>8}{'shared':>8}{'instr.':>8}{'loop':>6}"
          "  tensor cores; instructions for a unit of work")
    spilling, exceeding = 0, []
    for variant, size in iter_sizes(launches):
        print(f"{variant.name:<110}{size.registers:>10}{size.stack:>8}{size.shared:>8}{size.instructions:>8}"
              f"{size.loop:>6}  {'yes' if size.has_tensor_cores else '':<5}{describe_cost(variant, size)}", flush=True)
        spilling += size.stack > 0
        exceeding += find_excess(variant, size)
    for line in exceeding:
        print(f"over its budget: {line}")
    print(f"{spilling} of them spill registers" if spilling else "none spills registers")
    return 1 if spilling or exceeding else 0


def describe_cost(variant: Variant, size: Size) -> str:
    """Instructions for a unit of work, and how they compare with memory on an H200, of a kernel with a budget."""
    budget = variant.find_budget()
    if budget is None:
        return ""
    costs = [cubin_budgets.compute_cost(budget, taken, size.loop) for taken in (size.least, size.instructions)]
    ratios = [f"{cubin_budgets.compute_ratio(budget, cost):.1f}" for cost in costs]
    return f"{costs[0]:.1f} to {costs[1]:.1f} a {budget.unit}, {' to '.join(ratios)} of memory's time"


def find_excess(variant: Variant, size: Size) -> list[str]:
    """What a kernel takes more than its budget has."""
    budget = variant.find_budget()
    if budget is None:
        return []
    cost = cubin_budgets.compute_cost(budget, size.instructions, size.loop)
    found = [(cost, budget.most, f"instructions a {budget.unit}"),
             (size.registers, cubin_budgets.REGISTERS_MAX, "registers")]
    return [f"{variant.name} takes {taken:.1f} {what}, not {most:g}" for taken, most, what in found if taken > most]


def find_problem() -> str:
    """Why nothing can be compiled in this process; empty if it can."""
    from kernels import dispatch

    if importlib.util.find_spec("triton") is None:
        return dispatch.NO_TRITON
    from kernels import device

    if device.IS_INTERPRETED:
        return "TRITON_INTERPRET is set: unset it, the interpreter compiles nothing"
    missing = [tool for tool in ("ptxas", "cuobjdump") if not (find_tools() / tool).is_file()]
    return f"this build of Triton has no {' and no '.join(missing)}" if missing else ""


def record_launches(calls: list[Callable[[], object]]) -> Launches:
    """Every variant that calls launch; nothing runs."""
    from kernels import device, dispatch

    launches = Launches()
    with device.recorded(launches.record), dispatch.forced("gpu"):
        for call in calls:
            call()
    return launches


def list_budgeted() -> list[Callable[[], object]]:
    """A few launches of kernels that have budgets, which compile in seconds."""
    return [cubin_budgets.launch_payloads, cubin_budgets.launch_hash, partial(cubin_budgets.launch_ranks, 16, 7, 9),
            partial(cubin_budgets.launch_sums, 16)]


def list_calls(is_complete: bool) -> list[Callable[[], object]]:
    """Products, steps and blocks of a size that devices are for, then the self-test's cases: an op's first, or all."""
    from kernels import attention, selftest

    cases = selftest.select_cases("gpu")
    firsts = {name.split("/")[0]: case for name, case in reversed(cases.items())}
    head_dims = attention.HEAD_DIMS if is_complete else (USUAL_HEAD_DIM,)
    blocks = [partial(run_block, head_dim) for head_dim in head_dims]
    return [multiply_large, train_large, *blocks, *list_budgeted(), partial(cubin_budgets.launch_sums, 64),
            *(cases if is_complete else firsts).values()]


def run_block(head_dim: int) -> None:
    """The ops of a decoder's block, forward and backward, narrow and wide, with heads of `head_dim`."""
    from kernels import attention, dispatch
    from kernels.array_samples import put
    from kernels.tensor import Tensor

    shape = attention.Shape(4, 512, 3, head_dim)
    rows, width = shape.batch * shape.length, shape.heads * head_dim
    op = {name: dispatch.implementation(name) for name in BLOCK_OPS}
    table, tokens = put(np.zeros((600, width), "<i4")), put(np.zeros((shape.batch, shape.length), "<u2"))
    for positions in (None, put(np.zeros((shape.length, width), "<i4"))):
        h = op["embedding"].forward(table, positions, tokens)
    _, inverse = op["norm"].forward(h)
    sums = Tensor(put(np.zeros((rows, 3 * width), "<i4")), 20)
    for rotary in (False, True):
        _, held = op["attention"].forward(sums, shape, rotary)
    _, fine = op["activation"].forward(Tensor(h, 20))
    h = op["residual"].add(h, Tensor(h, 20))
    dh = None
    for kind in ("<i4", "<i8"):
        slope = Tensor(put(np.zeros((rows, width), kind)), 30)
        dh = op["norm"].backward(slope, h, inverse, dh)
        op["activation"].backward(slope, fine)
        op["attention"].backward(slope, held, attention.Keys((1, 2), (3, 4), (5, 6)))
        gradient, _ = op["embedding"].backward(dh, tokens, len(table), True)
        op["embedding"].add(gradient, Tensor(put(np.zeros((len(table), width), kind)), 30))


def multiply_large() -> None:
    """Every layout and width of a product of 1024 x 4096 x 1024: large tiles, and splits of the inner dimension."""
    from kernels import dispatch
    from kernels.array_samples import put
    from kernels.gemm import LAYOUTS
    from kernels.tensor import Tensor

    gemm = dispatch.implementation("gemm")
    for layout in LAYOUTS:
        shapes = {"nn": ((1024, 4096), (4096, 1024)), "tn": ((4096, 1024),) * 2, "nt": ((1024, 4096),) * 2}[layout]
        for types in ((np.int8, np.int8), (np.int16, np.int8), (np.int8, np.int16)):
            a, b = (Tensor(put(np.zeros(shape, kind)), 0) for shape, kind in zip(shapes, types))
            gemm.multiply(a, b, layout)


def train_large() -> None:
    """One step of a classifier with each optimiser, narrow and wide, and of a regressor; and answers."""
    from kernels import mlp, unit
    from kernels.samples import CODEC, SEED

    widths, rows = (784, 1024, 512, 16), 256
    weights = bytes(4 * mlp.param_count(widths))
    for model, optimiser in (
        (unit.Mlp(widths), unit.Sgd(6554, 58982)), (unit.Mlp(widths, wide=(0, 1, 2)), unit.Adam(400, 58982, 6)),
        (unit.Mlp(widths, "regressor"), unit.Lion(400, 58982, 64881)),
    ):
        policy = unit.UnitPolicy(model, optimiser, unit.Schedule(), 1, rows, 1, CODEC)
        targets = bytes(2 * rows if model.task == "classifier" else 4 * rows * widths[-1])
        unit.run_unit(policy, weights, bytes(rows * widths[0]), targets, SEED)
    mlp.predict(widths, weights, bytes(rows * widths[0]), rows)


def iter_sizes(launches: Launches) -> Iterator[tuple[Variant, Size]]:
    """Compile each variant; pairs in the order of their first launch."""
    for variant, attributes in launches.found.items():
        yield variant, measure(compile_variant(variant, attributes))


def compile_variant(variant: Variant, attributes: dict[tuple[int, ...], Any]) -> Any:
    """What Triton makes for sm_90.  Raises: its errors where a kernel does not compile."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature = dict(variant.signature)
    signature.update({name: "constexpr" for name, _ in variant.constants})
    ordered = {name: signature[name] for name in variant.kernel.arg_names}
    source = ASTSource(variant.kernel, ordered, dict(variant.constants), attributes)
    return triton.compile(source, target=GPUTarget("cuda", CAPABILITY, WARP_THREADS), options=dict(variant.options))


def measure(made: Any) -> Size:
    """What cuobjdump says of a kernel's machine code, and its memory by Triton's own account."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(made.asm["cubin"])
        file.flush()
        printed, code = (subprocess.run([str(find_tools() / "cuobjdump"), option, file.name], capture_output=True,
                                        text=True, check=True).stdout for option in ("--dump-resource-usage", "-sass"))
    fields = dict(word.split(":", 1) for word in printed.split() if ":" in word and word[0].isupper())
    has_tensor_cores = any(word in made.asm["ptx"] for word in ("wgmma.", "mma.sync"))
    return Size(int(fields["REG"]), int(fields["STACK"]), made.metadata.shared, has_tensor_cores,
                *count_instructions(code))


def count_instructions(code: str) -> tuple[int, int, int]:
    """(instructions, those of the longest loop, those of the shortest way) of machine code as cuobjdump prints it.

    Without what fills up. The shortest way skips all that it can, and goes through each loop once.
    """
    found = [(int(place, 16), bool(condition), name, rest) for place, condition, name, rest
             in INSTRUCTION.findall(code) if name != "NOP"]
    loop, least, skipped_to = 0, 0, -1
    for place, is_conditional, name, rest in found:
        least += place >= skipped_to
        target = re.search(r"0x([0-9a-f]+)\s*$", rest) if name == "BRA" else None
        if target and int(target[1], 16) < place:
            loop = max(loop, sum(int(target[1], 16) <= other[0] <= place for other in found))
        elif target and place >= skipped_to:
            skipped_to = int(target[1], 16)
        elif name == "EXIT" and not is_conditional and place >= skipped_to:
            break
    return len(found), loop, least


def _name_type(value: Any) -> str:
    if isinstance(value, int):
        return "i32" if -2**31 <= value < 2**31 else "i64"
    kind = np.dtype(value.dtype)
    return f"*{'i' if kind.kind == 'i' else 'u'}{8 * kind.itemsize}"


def find_tools() -> Path:
    """Where this build of Triton keeps the compilers it brings."""
    import triton

    return Path(triton.__file__).parent / TOOLS


if __name__ == "__main__":
    run("kernels.cubins")
