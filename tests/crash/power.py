"""Power loss: what a disk may have forgotten when the power comes back.

Two ways to know what was on the disk for sure, and so what may be cut off:
- sampled (needs nothing): the sizes of the state's write-ahead logs at the moment the app has answered a Commit. A
  Commit is fsynced before its answer, so all that lies beyond may be missing. Only logs are cut.
- traced (needs strace): every write, fsync, truncation and rename of both programs. A file is durable up to its size
  when its last completed fsync began, or its last write ended if it was opened with O_SYNC; what lies beyond is cut off
  at any point, or reads as zeros, as after a delayed allocation; a file that was never synced may be empty or absent.
Not covered: a sector torn inside what was fsynced, writes of one file that reach the disk out of order below its cut, a
rename or an unlink that is forgotten (each is taken as done), and disks that lie about fsync.
"""

import os
import random
import re
import shutil
from pathlib import Path

CALLS = "openat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate"
LINE = re.compile(r"^(\d+)\s+(.*)$")
RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)$")
RESULT = re.compile(r"\)\s+= (-?\d+)(?:<([^>]*)>)?")
FD_PATH = re.compile(r"^(\w+)\(\d+<([^>]*)>")
QUOTED = re.compile(r'"([^"]*)"')


def find_tracer() -> str | None:
    """strace, where there is one."""
    return shutil.which("strace")


def trace_command(tracer: str, output: Path) -> list[str]:
    """What to put before a command so that its calls are written to `output`; the command keeps its process id."""
    return [tracer, "-D", "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-e", "abbrev=none", "-e", "write=none",
            "-o", str(output), "--"]


def measure(folder: Path) -> dict[str, int]:
    """Sizes of all files below a folder, by path."""
    return {str(path): path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def measure_logs(state: Path) -> dict[str, int]:
    """Sizes of the state's write-ahead logs."""
    return {str(path): path.stat().st_size for path in state.glob("*.log")}


def cut_logs(state: Path, durable: dict[str, int], dice: random.Random) -> str:
    """Cut the state's logs somewhere beyond their durable sizes; returns what was done."""
    cut = []
    for path in sorted(state.glob("*.log")):
        size, kept = path.stat().st_size, durable.get(str(path), 0)
        if size > kept:
            os.truncate(path, dice.randint(kept, size))
            cut.append(f"{path.name} {size} -> {path.stat().st_size} (synced {kept})")
    return "; ".join(cut) or "nothing was unsynced"


def read_trace(output: Path, sizes: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """(size, durable size) by path, from a trace and the sizes before it, which are taken as durable."""
    written, durable = dict(sizes), dict(sizes)
    at_once: dict[str, bool] = {}
    begun: dict[str, str] = {}
    at_begin: dict[str, int] = {}
    for line in output.read_text(errors="replace").splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        thread, text = match.groups()
        if text.endswith("<unfinished ...>"):
            begun[thread] = text.removesuffix("<unfinished ...>")
            named = FD_PATH.match(text)
            if named and named[1] in ("fsync", "fdatasync"):
                at_begin[thread] = written.get(named[2], 0)
            continue
        resumed = RESUMED.match(text)
        if resumed:
            text = begun.pop(thread, "") + resumed[2].strip()
        apply_call(text, written, durable, at_once, at_begin.pop(thread, None))
    return written, durable


def apply_call(text: str, written: dict[str, int], durable: dict[str, int], at_once: dict[str, bool],
               synced_size: int | None) -> None:
    """Account for one completed call. at_once: the files opened so that a write is durable when it ends."""
    result = RESULT.search(text)
    if result is None or int(result[1]) < 0:
        return
    named = FD_PATH.match(text)
    name = text.partition("(")[0]
    if name == "openat":
        path = result[2] or ""
        at_once[path] = "O_SYNC" in text or "O_DSYNC" in text
        if "O_TRUNC" in text:
            written[path] = durable[path] = 0
        else:
            written.setdefault(path, 0)
    elif name.startswith("rename"):
        old, new = QUOTED.findall(text)[:2]
        for table in (written, durable):
            table[new] = table.pop(old, 0)
    elif name.startswith("unlink"):
        for path in QUOTED.findall(text)[:1]:
            written.pop(path, None)
            durable.pop(path, None)
    elif named and name in ("fsync", "fdatasync"):
        durable[named[2]] = written.get(named[2], 0) if synced_size is None else synced_size
    elif named and name == "ftruncate":
        size = int(text[named.end():].split(",")[1].split(")")[0])
        written[named[2]] = size
        durable[named[2]] = min(size, durable.get(named[2], 0))
    elif named and name == "pwrite64":
        end = int(text.rpartition(")")[0].rpartition(",")[2]) + int(result[1])
        written[named[2]] = max(written.get(named[2], 0), end)
    elif named and name in ("write", "writev"):
        written[named[2]] = written.get(named[2], 0) + int(result[1])
        if at_once.get(named[2]):
            durable[named[2]] = written[named[2]]


def cut_power(folder: Path, durable: dict[str, int], dice: random.Random, how: str) -> str:
    """Take from every file below `folder` what was not durable. how: all, some or zeros. Returns what was done.

    all: every unsynced byte is gone. some: each file keeps a part of its own. zeros: the size stays, the bytes are 0.
    """
    done = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        size, kept = path.stat().st_size, min(durable.get(str(path), 0), path.stat().st_size)
        if size == kept and str(path) in durable:
            continue
        if str(path) not in durable and how == "all":
            path.unlink()
            done.append(f"{path.name} is gone")
            continue
        left = dice.randint(kept, size) if how == "some" else kept
        os.truncate(path, left)
        if how == "zeros":
            os.truncate(path, size)
        done.append(f"{path.name} {size} -> {left}{' and zeros' if how == 'zeros' else ''}")
    return "; ".join(done) or "nothing was unsynced"
