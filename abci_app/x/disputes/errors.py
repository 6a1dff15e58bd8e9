"""Errors of codespace `disputes`. Codes are append-only."""

from abci_app.wire.errors import ChainError


class UnitNotChallengeable(ChainError):
    codespace, code = "disputes", 2
    text = "only an accepted unit can be challenged, and only until its window has passed"


class UnitDisputed(ChainError):
    codespace, code, text = "disputes", 3, "a dispute of this unit is open; wait for its end, then challenge it again"


class DisputesFull(ChainError):
    codespace, code, text = "disputes", 4, "the model has as many open disputes as it can; try when one has ended"


class BondTooLow(ChainError):
    codespace, code, text = "disputes", 5, \
        "the bond is too low: the contract's, and twice as much for each dispute of the unit that its claimant has won"


class DisputeNotFound(ChainError):
    codespace, code, text = "disputes", 6, "no dispute of this unit is open"


class DisputeMoot(ChainError):
    codespace, code = "disputes", 7
    text = "the unit has been rejected since; the challenger's bond comes back at the deadline"


class PartyWrong(ChainError):
    codespace, code, text = "disputes", 8, "this move is the other side's, or somebody else's"


class StageWrong(ChainError):
    codespace, code, text = "disputes", 9, "the dispute waits for another move; ask for its stage"


class DeadlinePassed(ChainError):
    codespace, code, text = "disputes", 10, "the move came after its deadline; the dispute is lost"


class TraceMalformed(ChainError):
    codespace, code, text = "disputes", 11, "a trace has 1 to 4096 digests of 32 bytes"


class TraceMismatch(ChainError):
    codespace, code, text = "disputes", 12, "the digests are not those under the claim's trace root"


class StatePlaceInvalid(ChainError):
    codespace, code, text = "disputes", 13, "name a digest of the trace, or their number to dispute the payload alone"


class RootMalformed(ChainError):
    codespace, code, text = "disputes", 14, "the root of a segment has 32 bytes"


class NodeMalformed(ChainError):
    codespace, code, text = "disputes", 15, "a node has 1 to 16 children of 32 bytes"


class SegmentMismatch(ChainError):
    codespace, code = "disputes", 16
    text = "the nodes do not prove that the segment ends with what was claimed"


class NodeMismatch(ChainError):
    codespace, code, text = "disputes", 17, "these children do not give the node in question"


class ChildPlaceInvalid(ChainError):
    codespace, code, text = "disputes", 18, "the node has no such child"


class InputsMalformed(ChainError):
    codespace, code = "disputes", 19
    text = "give exactly what the operation reads, everything once, by rising place"


class OutputProofInvalid(ChainError):
    codespace, code, text = "disputes", 20, "the outputs do not stand under the segment's root"


class StateProofInvalid(ChainError):
    codespace, code, text = "disputes", 21, "the chunks do not stand under the agreed state's root"


class WeightsProofInvalid(ChainError):
    codespace, code, text = "disputes", 22, "the chunks do not stand under the root of the round's weights"


class RowProofInvalid(ChainError):
    codespace, code, text = "disputes", 23, "the rows do not stand under the dataset's root"


class ClaimedOutputWrong(ChainError):
    codespace, code = "disputes", 24
    text = "give the output under the posted hash where the operation is large, and none where it is not"


class ModelUndisputable(ChainError):
    codespace, code = "disputes", 25
    text = "units of a decoder are no lists of small operations: audits alone judge them"
