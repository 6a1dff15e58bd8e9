"""State sync: takes a peer's snapshot into an empty state, and believes none of it but what the app hash confirms.

Answers of the protocol are the only outcome of what a peer sends: an unknown format, metadata that do not give the
trusted app hash, chunks that are not those of the metadata, a stream that is not a state. The state appears at once
when the last chunk is in. Only a failing disk is an error of this node, and stops it; it may then begin again.
Source: CometBFT v0.38 spec/abci/abci++_app_requirements.md (state sync), statesync/syncer.go.
"""

import logging

from google.protobuf.message import DecodeError

from abci_app.abci.chain import find_block, find_chain
from abci_app.abci.errors import ConfigProblem
from abci_app.store.disk import Database
from abci_app.store.errors import SnapshotInvalid
from abci_app.store.restore import Restore
from abci_app.store.snapshot import FORMAT, Metadata, compute_hash, decode_metadata
from abci_app.store.version import Version
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci

Offered = abci.ResponseOfferSnapshot
Applied = abci.ResponseApplySnapshotChunk

_log = logging.getLogger("gradus.abci")


class StateSync:
    """The restoration in progress, if there is one. One call at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._restore: Restore | None = None

    def offer(self, request: abci.RequestOfferSnapshot) -> abci.ResponseOfferSnapshot:
        """Whether to restore a snapshot; an earlier restoration is given up.

        Also over a restored state that no block has followed: the engine offers again when it ended before it had
        taken that state over.
        """
        if not self._database.is_replaceable:
            _log.error("a snapshot is offered, but the state is at height %d; only an empty node can begin with one: "
                       "move its state and data folders away, or set statesync.enable = false", self._database.height)
            return Offered(result=Offered.ABORT)
        self.drop()
        snapshot = request.snapshot
        if snapshot.format != FORMAT:
            return Offered(result=Offered.REJECT_FORMAT)
        try:
            metadata = check_offer(snapshot, request.app_hash, self._database.store_names)
        except SnapshotInvalid as error:
            _log.warning("the snapshot of height %d is refused: %s", snapshot.height, error)
            return Offered(result=Offered.REJECT)
        self._database.begin_restore()
        self._restore = Restore(self._database, metadata)
        _log.info("restoring the state of height %d from %d chunks", metadata.height, len(metadata.chunk_hashes))
        return Offered(result=Offered.ACCEPT)

    def apply(self, request: abci.RequestApplySnapshotChunk) -> abci.ResponseApplySnapshotChunk:
        """Take a chunk. When it was the last, the database is at the snapshot's height."""
        restore, index = self._restore, request.index
        if restore is None or index >= len(restore.metadata.chunk_hashes):
            return Applied(result=Applied.REJECT_SNAPSHOT)
        senders = [request.sender] if request.sender else []
        if not restore.is_chunk(index, request.chunk):
            _log.warning("chunk %d from %s is not that of the snapshot", index, request.sender or "a peer")
            return Applied(result=Applied.RETRY, refetch_chunks=[index], reject_senders=senders)
        if index < restore.next_chunk:
            return Applied(result=Applied.ACCEPT)
        if index > restore.next_chunk:
            return Applied(result=Applied.RETRY, refetch_chunks=[restore.next_chunk])
        try:
            restore.add_chunk(request.chunk)
            if restore.next_chunk == len(restore.metadata.chunk_hashes):
                check_restored(restore.version())
                restore.finish()
                self._restore = None
                _log.info("the state of height %d is restored, app hash %s", self._database.height,
                          self._database.latest().app_hash.hex()[:16])
        except SnapshotInvalid as error:
            _log.warning("the snapshot of height %d is refused: %s", restore.metadata.height, error)
            self.drop()
            return Applied(result=Applied.REJECT_SNAPSHOT, reject_senders=senders)
        return Applied(result=Applied.ACCEPT)

    def drop(self) -> None:
        """Give up the restoration in progress, so that the state is empty again."""
        self._restore = None
        self._database.drop_restore()


def check_offer(snapshot: abci.Snapshot, app_hash: bytes, store_names: tuple[str, ...]) -> Metadata:
    """The metadata of an offered snapshot, which the trusted app hash confirms. Raises SnapshotInvalid."""
    metadata = decode_metadata(snapshot.metadata)
    if compute_hash(snapshot.metadata) != snapshot.hash:
        raise SnapshotInvalid("its hash is not that of its metadata")
    if (metadata.height, len(metadata.chunk_hashes)) != (snapshot.height, snapshot.chunks):
        raise SnapshotInvalid("its metadata are of another height or of other chunks")
    if tuple(name for name, _ in metadata.roots) != store_names:
        raise SnapshotInvalid("it has other stores than this program", "run the version that the chain runs")
    if metadata.app_hash != app_hash:
        raise SnapshotInvalid("its roots do not give the trusted app hash")
    return metadata


def check_restored(version: Version) -> None:
    """A restored state is one that blocks can follow, and of the height that it was offered as."""
    try:
        chain, block = find_chain(version), find_block(version)
    except (ConfigProblem, DecodeError) as error:
        raise SnapshotInvalid(f"its chain cannot run here: {error}") from error
    if chain is None or block is None or block.height != version.height:
        raise SnapshotInvalid(f"it is of height {block.height if block else 0}, not {version.height}")
