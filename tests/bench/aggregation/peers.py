"""byzfl's rules and attacks, loaded without its benchmark, which would ask for torchvision.

`pip install --no-deps byzfl==0.0.11` beside the `bench` extra: its own requirements pin an old torch.
"""

import importlib
import importlib.util
import sys
from types import ModuleType

import click


def load_byzfl() -> tuple[ModuleType, ModuleType]:
    """(byzfl.aggregators, byzfl.attacks)."""
    if "byzfl" not in sys.modules:
        found = importlib.util.find_spec("byzfl")
        if found is None:
            raise click.ClickException("byzfl is not installed: pip install --no-deps byzfl==0.0.11, beside '.[bench]'")
        package = ModuleType("byzfl")
        package.__path__ = list(found.submodule_search_locations or [])
        sys.modules["byzfl"] = package
    return importlib.import_module("byzfl.aggregators"), importlib.import_module("byzfl.attacks")
