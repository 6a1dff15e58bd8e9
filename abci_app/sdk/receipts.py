"""Receipts: what a user signs for a session's answers, and when.

A receipt says: so many answers, so much in all, and the root over their entries. It is derived from the entries alone
and signed deterministically (RFC 6979), so that the same answers give the same bytes however often they are signed.
"""

from coincurve import PrivateKey

from abci_app.client.keys import Key
from abci_app.wire.merkle import MerkleAppender
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Entry, Receipt
from abci_app.wire.question import entry_leaf, receipt_digest


class ReceiptBook:
    """The entries of one session, added in their order, and the receipt over all of them."""

    def __init__(self, chain_id: str, session_id: int, key: Key) -> None:
        """key: the session's receipt key."""
        self.chain_id, self.session_id = chain_id, session_id
        self.total_ugrad = 0
        self._private = PrivateKey(key.private)
        self._tree = MerkleAppender()

    @property
    def count(self) -> int:
        """Entries so far."""
        return self._tree.count

    def preview(self, entry: Entry) -> Receipt:
        """The state after one more entry, not signed: what the host's statement of it is over. ValueError as append."""
        self._check(entry)
        return Receipt(session_id=self.session_id, count=entry.number, total_ugrad=entry.total_ugrad,
                       root=self._tree.root_with(entry_leaf(entry)))

    def append(self, entry: Entry) -> None:
        """Add the next entry. ValueError for another number than the next, a fee of 0, or another total than all
        fees."""
        self._check(entry)
        self._tree.append(entry_leaf(entry))
        self.total_ugrad += entry.fee_ugrad

    def sign(self) -> Receipt:
        """The receipt for all entries so far. ValueError where there are none."""
        receipt = Receipt(session_id=self.session_id, count=self.count, total_ugrad=self.total_ugrad,
                          root=self._tree.root)
        receipt.signature = self._private.sign_recoverable(receipt_digest(self.chain_id, receipt))[:64]
        return receipt

    def _check(self, entry: Entry) -> None:
        if (entry.number != self.count + 1 or entry.fee_ugrad < 1
                or entry.total_ugrad != self.total_ugrad + entry.fee_ugrad):
            raise ValueError(f"entry {entry.number} with a fee of {entry.fee_ugrad}, {entry.total_ugrad} in all, does "
                             f"not follow entry {self.count}, {self.total_ugrad} in all")
