"""Proofs of random states as JSON for the stock ICS-23 verifier.

`npm ci` here once, then `python -m tests.clients.ics23.cases | node tests/clients/ics23/verify.js`.
"""

import hashlib
import json
import random
import tempfile
from pathlib import Path

from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.store.kv import BLOBS_STORE, KV
from abci_app.wire.ics23 import commitment_proofs
from abci_app.wire.proof import Proof

STORES = ("auth", "bank", "consensus", "models", "rewards", "work")
PROVED = ("bank", "consensus", BLOBS_STORE)
SIZES = (0, 1, 2, 3, 5, 8, 13, 100, 1000)
Case = dict[str, str | list[str] | None]


def make_cases(seed: int = 7) -> list[Case]:
    """Existing and absent keys of trees of many sizes, after three blocks of writes and deletions each.

    Of rooms' stores, of the engine's records and of the store that has the hash of every blob.
    """
    rng = random.Random(seed)
    cases: list[Case] = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder, Database.open(Path(folder), STORES, fsync=False) as database:
            known: dict[str, dict[bytes, bytes]] = {name: {} for name in PROVED}
            for height in range(1, 4):
                branch = Branch(database.latest())
                for name in PROVED:
                    change(rng, branch.blobs if name == BLOBS_STORE else branch.store(name), known[name], size)
                database.commit(database.stage(branch, height))
            for name in PROVED:
                absent = [b"\x00\x00", b"\xff" * 41, *(rng.randbytes(12) for _ in range(6))]
                present = rng.sample(sorted(known[name]), min(8, len(known[name])))
                cases += [new_case(database.latest().prove(name, key), known[name].get(key)) for key in
                          (*present, *absent)]
    return cases


def change(rng: random.Random, space: KV, known: dict[bytes, bytes], count: int) -> None:
    """Random writes, then a quarter of all keys deleted; `known` follows, with the hashes of what is a blob."""
    for _ in range(count):
        key, value = b"k" + rng.randbytes(rng.randrange(40)), rng.randbytes(1 + rng.randrange(20))
        space.set(key, value)
        known[key] = value
    for key in rng.sample(sorted(known), len(known) // 4):
        space.delete(key)
        del known[key]


def new_case(proof: Proof, value: bytes | None) -> Case:
    """A proof of what a key must have, as verify.js reads it."""
    if proof.store_name == BLOBS_STORE and value is not None:
        value = hashlib.sha256(value).digest()
    if proof.value != value:
        raise ValueError(f"the proof of {proof.store_name} shows another value")
    return {"key": proof.entry.key.hex(), "value": None if value is None else value.hex(),
            "store_name": proof.store_name, "store_root": proof.store.value.hex(), "app_hash": proof.app_hash.hex(),
            "proofs": [data.hex() for data in commitment_proofs(proof)]}


if __name__ == "__main__":
    print(json.dumps(make_cases()))
