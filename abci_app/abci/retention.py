"""Which blocks the engine may forget (I33): a rule over what somebody may still ask this node for."""


def compute_retain_height(height: int, durable_height: int, retain_blocks: int, evidence_height: int,
                          oldest_snapshot: int | None) -> int:
    """The lowest block that the engine must keep after `height` was committed; 0 for all.

    retain_blocks: kept at least, 0 for all. durable_height: the state that survives a power loss; the blocks after it
    would be replayed. evidence_height: the lowest block that a misbehaviour may still be told of: a node without that
    block would refuse the evidence, and with it a block that the others take.
    oldest_snapshot: height of the oldest snapshot, from which others go on by blocks.
    """
    if not retain_blocks:
        return 0
    bounds = [height - retain_blocks, evidence_height, durable_height + 1]
    if oldest_snapshot is not None:
        bounds.append(oldest_snapshot)
    return max(0, min(bounds))
