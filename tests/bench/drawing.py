"""matplotlib, of which only pictures have need: loaded where one is drawn, missed with a word on how to get it."""

import importlib
from typing import Any

import click


def load_matplotlib(module: str = "pyplot") -> Any:
    """A module of matplotlib.  Raises: ClickException if the package is not installed."""
    try:
        return importlib.import_module(f"matplotlib.{module}")
    except ImportError:
        raise click.ClickException("matplotlib is not installed: pip install '.[bench]' has it") from None
