"""What a simulation of requests or of sessions prints and saves."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click


def tell(report: Any, is_all: bool, result: Path | None) -> None:
    """A table for people; is_all: and how often what has happened. report: a dataclass with `seen`. result: a file."""
    for name, value in asdict(report).items():
        if name != "seen":
            click.echo(f"{name.replace('_', ' '):<32} {value}")
    if is_all:
        click.echo(json.dumps(report.seen, indent=1))
    if result is not None:
        result.write_text(json.dumps(asdict(report), indent=1) + "\n")
