"""Proofs of random states as JSON for the stock ICS-23 verifier.

`npm ci` here once, then `python -m tests.clients.ics23.cases | node tests/clients/ics23/verify.js`.
"""

import json
import random
import tempfile
from pathlib import Path

from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.wire.ics23 import commitment_proofs

STORES = ("auth", "bank", "consensus", "models", "rewards", "validators", "work")
SIZES = (0, 1, 2, 3, 5, 8, 13, 100, 1000)


def make_cases(seed: int = 7) -> list[dict[str, str | list[str] | None]]:
    """Existing and absent keys of trees of many sizes, after three blocks of writes and deletions each."""
    rng = random.Random(seed)
    cases: list[dict[str, str | list[str] | None]] = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder, Database.open(Path(folder), STORES, fsync=False) as database:
            model: dict[bytes, bytes] = {}
            for height in range(1, 4):
                bank = (branch := Branch(database.latest())).store("bank")
                for _ in range(size):
                    key = b"k" + rng.randbytes(rng.randrange(40))
                    model[key] = rng.randbytes(1 + rng.randrange(20))
                    bank.set(key, model[key])
                for key in rng.sample(sorted(model), len(model) // 4):
                    bank.delete(key)
                    del model[key]
                database.commit(database.stage(branch, height))
            absent = [b"\x00\x00", b"\xff" * 41, *(rng.randbytes(12) for _ in range(6))]
            for key in [*rng.sample(sorted(model), min(8, len(model))), *absent]:
                proof = database.latest().prove("bank", key)
                cases.append(
                    {
                        "key": key.hex(),
                        "value": proof.value.hex() if proof.value is not None else None,
                        "store_name": "bank",
                        "store_root": proof.store.value.hex(),
                        "app_hash": proof.app_hash.hex(),
                        "proofs": [data.hex() for data in commitment_proofs(proof)],
                    }
                )
    return cases


if __name__ == "__main__":
    print(json.dumps(make_cases()))
