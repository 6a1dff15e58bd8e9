"""Small datasets in memory: canonical rows that a seed decides."""

import random
from dataclasses import dataclass

from abci_app.wire.merkle import MerkleTree
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Dataset
from abci_app.wire.row import new_row


@dataclass
class RowsTable:
    """A dataset with all its rows; `terms` is what a contract says of it."""

    rows: list[bytes]
    terms: Dataset
    tree: MerkleTree


def new_rows(seed: str, train_rows: int, test_rows: int, features: int, classes: int) -> RowsTable:
    """A dataset whose labels depend on its features, so that a model can learn it."""
    dice = random.Random(f"rows/{seed}")
    rows = []
    for _ in range(train_rows + test_rows):
        values = [dice.randint(-127, 127) for _ in range(features)]
        rows.append(new_row(bytes(value & 0xFF for value in values), sum(values) % classes))
    tree = MerkleTree(rows)
    terms = Dataset(rows_root=tree.root, train_rows=train_rows, test_rows=test_rows, features=features, classes=classes)
    return RowsTable(rows, terms, tree)
