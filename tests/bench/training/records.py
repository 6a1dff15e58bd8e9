"""What was measured, kept as JSON in a folder `results`: one record a run, replaced when it is run again.

Reads/Writes: results/*.json, beside this file unless another folder is named.
"""

import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "numba", "torch", "scikit-learn", "byzfl", "flwr")
Json = dict[str, Any]


def describe_machine() -> Json:
    """What a figure was taken with."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False,
                          cwd=RESULTS.parent)
    return {"gradus": done.stdout.strip(), "processor": find_processor(), "processors": os.cpu_count(),
            "python": platform.python_version(),
            "packages": {name: version for name in PACKAGES if (version := find_version(name))},
            "date": datetime.now(UTC).strftime("%Y-%m-%d")}


def find_processor() -> str:
    """The processor's name, with the instructions that matter here."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    flags = [flag for flag in ("avx2", "avx512f", "avx_vnni", "avx512_vnni") if flag in fields.get("flags", "").split()]
    return " ".join([fields.get("model name", platform.machine()).strip(), *flags])


def find_version(package: str) -> str:
    """The version of an installed package, or nothing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def load_runs(name: str, folder: Path = RESULTS) -> list[Json]:
    """All kept runs of an experiment."""
    path = folder / f"{name}.json"
    return list(json.loads(path.read_text())["runs"]) if path.exists() else []


def find_run(name: str, key: Json, folder: Path = RESULTS) -> Json | None:
    """The kept run with these settings."""
    return next((run for run in load_runs(name, folder) if run["settings"] == key), None)


def keep_run(name: str, settings: Json, figures: Json, folder: Path = RESULTS) -> Json:
    """Keep a run instead of an earlier one with the same settings."""
    run = {"settings": settings, "figures": figures, "machine": describe_machine()}
    runs = [other for other in load_runs(name, folder) if other["settings"] != settings]
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"runs": [*runs, run]}, indent=1) + "\n")
    return run


def format_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    lines.insert(1, "|---" * len(head) + "|")
    return "\n".join(lines)
