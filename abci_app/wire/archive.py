"""A growing list of hashes of which only the peaks are kept: a Merkle mountain range (RFC 6962 hashing). Pure.

After `count` leaves there is a peak for each bit of count that is set, the highest first: the root of the tree over
so many leaves. Folded from the right they are the root of the tree of RFC 6962 over all leaves, so that a proof against
it is that of wire/merkle.py.
Source: abci_app/x/inference/README.md, section "Archive".
"""

from abci_app.wire.merkle import inner_hash, leaf_hash
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Archive


def append_leaf(archive: Archive, data: bytes) -> None:
    """Add a leaf behind the others: as many peaks are joined as bits at the end of the count are set."""
    peak, rest = leaf_hash(data), archive.count
    while rest & 1:
        peak = inner_hash(archive.peaks.pop(), peak)
        rest >>= 1
    archive.peaks.append(peak)
    archive.count += 1


def compute_archive_root(archive: Archive) -> bytes:
    """The 32 bytes against which a leaf is proved (wire/merkle.py, verify_leaves), of an archive that has a leaf.

    ValueError for an empty one.
    """
    if not archive.peaks:
        raise ValueError("an empty archive has no root")
    root = archive.peaks[-1]
    for peak in reversed(archive.peaks[:-1]):
        root = inner_hash(peak, root)
    return root
