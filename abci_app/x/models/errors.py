"""Errors of codespace `models`. Codes are append-only."""

from abci_app.wire.errors import ChainError


class ModelNotFound(ChainError):
    codespace, code, text = "models", 2, "no such model; list them with a models query"


class WeightsNotFound(ChainError):
    codespace, code, text = "models", 3, "the weights of this round are not kept; ask for a later round"


class NameInvalid(ChainError):
    codespace, code = "models", 4
    text = "a name has 1 to 64 letters, digits, spaces or . _ - and begins and ends with a letter or digit"


class NumericsUnknown(ChainError):
    codespace, code, text = "models", 5, "the numerics of this chain is gin1"


class ArchitectureInvalid(ChainError):
    codespace, code = "models", 6
    text = "give an MLP classifier of 2 to 8 widths, from the dataset's features to its classes"


class ModelTooLarge(ChainError):
    codespace, code = "models", 7
    text = "a payload must fit one transaction; take narrower layers"


class DatasetInvalid(ChainError):
    codespace, code, text = "models", 8, "the dataset's description is out of range"


class SeedInvalid(ChainError):
    codespace, code, text = "models", 9, "the initial seed has 32 bytes"


class RoundPolicyInvalid(ChainError):
    codespace, code, text = "models", 10, "the round policy is out of range"


class LearningRateInvalid(ChainError):
    codespace, code, text = "models", 11, "the learning rate is out of range"


class UnitPolicyInvalid(ChainError):
    codespace, code, text = "models", 12, "the numerics do not allow this unit"


class AggregationInvalid(ChainError):
    codespace, code, text = "models", 13, "the aggregation is out of range"


class OuterPolicyInvalid(ChainError):
    codespace, code, text = "models", 14, "the outer optimiser is out of range"


class UnitTooCostly(ChainError):
    codespace, code = "models", 15
    text = "audits run inside blocks; take fewer local steps, smaller batches, narrower layers or fewer audits"


class EvidenceTooLarge(ChainError):
    codespace, code = "models", 16
    text = "a unit's rows must fit one transaction; take fewer local steps or smaller batches"


class AuditPolicyInvalid(ChainError):
    codespace, code, text = "models", 17, "the audit policy is out of range"


class BondTooLow(ChainError):
    codespace, code = "models", 18
    text = "cheating would pay; raise the bond, its slash or the audit rate, or lower the reward"


class TrainersInvalid(ChainError):
    codespace, code = "models", 19
    text = "invite at most 256 different accounts, at least trainers_min of them, or nobody for open enrolment"


class EscrowTooLow(ChainError):
    codespace, code, text = "models", 20, "the escrow must hold at least the reward of one round"


class EscrowTooLarge(ChainError):
    codespace, code, text = "models", 21, "a model's escrow stays below 2^64 ugrad"


class ModelNotLive(ChainError):
    codespace, code, text = "models", 22, "the model trains no longer, so nothing would ever spend the coins"


class AuditsTooMany(ChainError):
    codespace, code = "models", 23
    text = "the audits of a round must fit its audit phase; take more audit_blocks, fewer audits or smaller units"


class NotAdmin(ChainError):
    codespace, code, text = "models", 24, "only the model's admin may do this"


class ModelRetired(ChainError):
    codespace, code, text = "models", 25, "the model is closed already, and its escrow paid back"


class RoundRunning(ChainError):
    codespace, code, text = "models", 26, "a round runs; close the model when it has ended and no other has begun"
