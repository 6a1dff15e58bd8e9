"""`<home>/config/app.toml`: what a node keeps. None of it changes what a block does; options of the command override.

    keep_versions = 1000       # heights whose state stays readable and provable; 0 keeps all
    retain_blocks = 0          # blocks that the engine keeps at least; 0 keeps all
    snapshot_interval = 1000   # heights between two snapshots for state sync; 0 takes none
    snapshot_keep = 2          # snapshots that stay
"""

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path

from abci_app.abci.errors import ConfigProblem

CONFIG_FILE = Path("config", "app.toml")
COUNT_MAX = 1 << 40
SNAPSHOT_KEEP_MAX = 10  # the engine tells peers of no more


@dataclass(frozen=True)
class Config:
    """keep_versions: 0 or 2..COUNT_MAX. retain_blocks, snapshot_interval: 0..COUNT_MAX. snapshot_keep: 1..10."""

    keep_versions: int = 1000
    retain_blocks: int = 0
    snapshot_interval: int = 1000
    snapshot_keep: int = 2


KEYS = tuple(field.name for field in fields(Config))


def read_config(home: Path, options: dict[str, int | None]) -> Config:
    """The settings in the node's folder, or the defaults where it has none, with those of `options` that are given.

    Raises ConfigProblem with the key and what to do.
    """
    path = home / CONFIG_FILE
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigProblem(f"{path} cannot be read: {error}", "mend it, or remove it for the defaults") from error
    for key in sorted(found):
        if key not in KEYS:
            raise ConfigProblem(f"{path} has an unknown key {key!r:.60}", f"known: {', '.join(KEYS)}")
        check_value(key, found[key], f"{path}: {key}")
    given = {key: value for key, value in options.items() if value is not None}
    for key in sorted(given):
        check_value(key, given[key], "--" + key.replace("_", "-"))
    return replace(Config(), **{**found, **given})


def check_value(key: str, value: object, where: str) -> None:
    """Raises ConfigProblem unless `key` takes this value."""
    if type(value) is not int or not 0 <= value <= COUNT_MAX:
        raise ConfigProblem(f"{where} is {value!r:.60}", f"give a whole number from 0 to {COUNT_MAX}")
    if key == "keep_versions" and value == 1:
        raise ConfigProblem(f"{where} is 1", "give 0 (all) or at least 2: proofs are of the state before the latest")
    if key == "snapshot_keep" and not 1 <= value <= SNAPSHOT_KEEP_MAX:
        raise ConfigProblem(f"{where} is {value}", f"give 1 to {SNAPSHOT_KEEP_MAX}; snapshot_interval = 0 takes none")
