"""Small datasets in memory: canonical rows that a seed decides."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from abci_app.wire.merkle import MerkleTree
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Dataset
from abci_app.wire.row import CLASSES, TOKENS, VALUES, RowForm, new_row, new_tokens_row, new_values_row


@dataclass
class RowsTable:
    """A dataset with all its rows; `terms` is what a contract says of it."""

    rows: list[bytes]
    terms: Dataset
    tree: MerkleTree

    def turned(self) -> "RowsTable":
        """The same rows, each one place earlier."""
        rows = self.rows[1:] + self.rows[:1]
        return RowsTable(rows, self.terms, MerkleTree(rows))


class TableDataset:
    """The rows of a table, as a stored dataset gives them."""

    def __init__(self, table: RowsTable) -> None:
        self.table = table

    def read_rows(self, indices: Sequence[int]) -> list[bytes]:
        """The rows at `indices`."""
        return [self.table.rows[index] for index in indices]

    def read_columns(self, indices: Sequence[int], form: RowForm) -> tuple[bytes, bytes]:
        """(features, targets) of the rows at `indices`."""
        return form.join_columns(self.read_rows(indices))

    def prove(self, indices: Sequence[int]) -> list[bytes]:
        """Multiproof of rising indices."""
        return self.table.tree.prove(list(indices))


ROW_KINDS = {"mlp_classifier": CLASSES, "mlp_regressor": VALUES, "decoder": TOKENS}


def new_rows_for(architecture: str, seed: str, train_rows: int, test_rows: int, features: int, classes: int,
                 odd: bool = False) -> RowsTable:
    """A dataset for any network of a contract. odd: nothing but random bytes."""
    form = RowForm(ROW_KINDS[architecture], features, classes)
    if form.kind == CLASSES:
        return new_rows(seed, train_rows, test_rows, features, classes, odd)
    dice, rows = random.Random(f"{architecture}/{seed}"), []
    for _ in range(train_rows + test_rows):
        if odd:
            rows.append(dice.randbytes(form.row_bytes))
        elif form.kind == TOKENS:
            first, pace = dice.randrange(classes), dice.randrange(1, 3)
            rows.append(new_tokens_row([(first + pace * place) % classes for place in range(features + 1)]))
        else:
            values = [dice.randint(-127, 127) for _ in range(features)]
            targets = [sum(values[place::classes]) << 8 for place in range(classes)]
            rows.append(new_values_row(bytes(value & 0xFF for value in values), targets))
    return _new_table(rows, train_rows, form)


def new_rows(seed: str, train_rows: int, test_rows: int, features: int, classes: int, odd: bool = False) -> RowsTable:
    """A dataset whose labels depend on its features, so that a model can learn it.

    odd: some of its rows are such as no importer makes: a feature of -128, a label that is no class.
    """
    dice, odd_dice = random.Random(f"rows/{seed}"), random.Random(f"odd rows/{seed}")
    rows = []
    for _ in range(train_rows + test_rows):
        values = [dice.randint(-127, 127) for _ in range(features)]
        label = sum(values) % classes
        if odd and odd_dice.random() < 0.3:
            values[odd_dice.randrange(features)] = -128
            label = odd_dice.choice((label, classes, 65_535))
        rows.append(new_row(bytes(value & 0xFF for value in values), label))
    return _new_table(rows, train_rows, RowForm(CLASSES, features, classes))


def _new_table(rows: list[bytes], train_rows: int, form: RowForm) -> RowsTable:
    tree = MerkleTree(rows)
    return RowsTable(rows, Dataset(rows_root=tree.root, train_rows=train_rows, test_rows=len(rows) - train_rows,
                                   features=form.features, classes=form.classes), tree)
