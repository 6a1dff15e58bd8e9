"""Gas: what work costs, as formulas of shape. Never of measured time, so that every node books the same."""

from dataclasses import dataclass

from abci_app.wire.errors import OutOfGas
from abci_app.wire.ints import I64_MAX

TX_BYTE_GAS = 10
ADMISSION_GAS = 4_000  # the fee leaves one balance and enters another
SIGNATURE_GAS = 3_000  # one check of a signature and the write of its account
WRITE_GAS = 2_000  # a record of the state; keepers of accounts and coins book it themselves
BLOB_BYTE_GAS = 3
BLOB_READ_BYTE_GAS = 1  # of what earlier transactions wrote and this one has read and hashed again
MULTIPLY_ADDS_PER_GAS = 1_000


@dataclass(slots=True)
class GasMeter:
    """Counts gas up to a limit (0..2^63-1)."""

    limit: int
    used: int = 0

    def use(self, amount: int, what: str) -> None:
        """Book `amount`. Raises OutOfGas (sdk/11) past the limit; `used` then still tells how far it came."""
        self.used += amount
        if self.used > self.limit:
            raise OutOfGas(f"in {what}: wanted {self.used}, limit {self.limit}; send with a higher gas limit")


def unlimited() -> GasMeter:
    """A meter for work that no transaction pays for: block ends, queries, injected transactions."""
    return GasMeter(I64_MAX)
