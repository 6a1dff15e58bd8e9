"""One signer a validator: no two nodes of this user sign with the same key, wherever their homes lie.

A home that was copied has its original's validator key. Two nodes that sign with one key sign different blocks of one
height sooner or later, for which a validator is slashed. So whoever runs a node holds a lock named by the consensus
address. A network that was copied as a whole and got ports of its own is another network: its homes say so with a word
in config/branch, which is part of the lock's name.

Reads: priv_validator_key.json and branch of a home. Writes: a file per running validator in .cache/gradus/validators
of the user's home folder, which no cleaner of temporary files empties under a node that runs for months; in
/tmp/gradus-<user id> where that folder cannot be used. The folder is the same whatever the environment says.
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from localnet.claims import claims_folder, find_lock
from localnet.errors import HomeError, NodeError
from localnet.files import replace_text
from localnet.homes import Home, make_private
from localnet.keys import EngineKey

BRANCH = re.compile(r"[0-9a-f]{16}")


def get_consensus_address(home: Home) -> str:
    """The address of the key that a home signs with, 40 upper hex digits; HomeError when its file is damaged."""
    try:
        private = base64.b64decode(json.loads(home.validator_key.read_text())["priv_key"]["value"], validate=True)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise HomeError(f"{home.validator_key} is damaged: {error!r}", "put it back from a copy you trust") from error
    if len(private) != 64:
        raise HomeError(f"{home.validator_key} is damaged: its key has {len(private)} bytes, not 64",
                        "put it back from a copy you trust")
    return EngineKey(private[:32], private[32:]).address.hex().upper()


def put_branch(homes: Sequence[Home]) -> None:
    """Make the homes of a copied network those of another network than the original."""
    word = secrets.token_hex(8)
    for home in homes:
        replace_text(home.branch, word + "\n")


def signer_name(home: Home) -> str:
    """The name of a home's lock; HomeError when the key or the branch is damaged."""
    address = get_consensus_address(home)
    try:
        branch = home.branch.read_text().strip()
    except FileNotFoundError:
        return address
    except (OSError, ValueError) as error:
        raise HomeError(f"{home.branch} cannot be read: {error}", "check who owns the file") from error
    if not BRANCH.fullmatch(branch):
        raise HomeError(f"{home.branch} is damaged: {branch[:40]!r}", "put it back from another node of its network")
    return f"{address}-{branch}"


def signers_folder() -> Path:
    """Where the locks of this user's validators lie."""
    with suppress(OSError, KeyError, HomeError):
        folder = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".cache" / "gradus" / "validators"
        make_private(folder)
        if os.access(folder, os.W_OK):
            return folder
    return claims_folder()


@contextmanager
def sole_signer(home: Home) -> Iterator[None]:
    """Be the only one that signs with a home's key; NodeError naming the other home when one does already."""
    path = signers_folder() / f"validator-{signer_name(home)}"
    lock = find_lock(path)
    if lock is None:
        raise NodeError(f"the validator of {home.path} signs already in {find_holder(path)}",
                        "a key signs in one place alone, or its validator is slashed: stop that node, or start this "
                        "one with a key of its own")
    with lock:
        with suppress(OSError):  # whom to name is not worth a start
            lock.truncate(0)
            os.write(lock.fileno(), os.fsencode(home.path))
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def find_holder(path: Path) -> str:
    """The home that whoever holds a lock has written into it."""
    with suppress(OSError, ValueError):
        return path.read_text() or "another home"
    return "another home"
