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
    text = "give one network: an MLP of 2 to 8 widths, from the dataset's features to its classes or outputs, or a " \
        "decoder of its context and vocabulary"


class ModelTooLarge(ChainError):
    codespace, code = "models", 7
    text = "the parameters are too many; take narrower layers"


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
    text = "auditors compute a unit again; take fewer local steps, smaller batches or narrower layers"


class AuditPolicyInvalid(ChainError):
    codespace, code, text = "models", 17, "the audit policy is out of range"


class BondTooLow(ChainError):
    codespace, code = "models", 18
    text = "cheating would pay; raise the bond, its slash or the audit rate, or lower the reward"


class TrainersInvalid(ChainError):
    codespace, code = "models", 19
    text = "invite at most 256 different accounts, at least trainers_min of them, or nobody for open enrolment"


class EscrowTooLow(ChainError):
    codespace, code, text = "models", 20, "the escrow must hold what one round takes: its reward and audit fee"


class EscrowTooLarge(ChainError):
    codespace, code, text = "models", 21, "a model's escrow stays below 2^64 ugrad"


class ModelNotLive(ChainError):
    codespace, code, text = "models", 22, "the model is closed, so nothing would ever spend the coins"


class NotAdmin(ChainError):
    codespace, code, text = "models", 24, "only the model's admin may do this"


class ModelRetired(ChainError):
    codespace, code, text = "models", 25, "the model is closed already, and its escrow paid back"


class RoundRunning(ChainError):
    codespace, code, text = "models", 26, "a round runs; close the model when it has ended and no other has begun"


class CloseTooCostly(ChainError):
    codespace, code = "models", 27
    text = "a block closes the round; take fewer units, a cheaper rule of aggregation or narrower layers"


class LimitsInvalid(ChainError):
    codespace, code, text = "models", 28, "the limits of the policies are not as a contract writes them"


class LimitExceeded(ChainError):
    codespace, code = "models", 29
    text = "the limits were fixed when the model was made, and its admin stays in them; make a new model for others"


class VersionsExhausted(ChainError):
    codespace, code, text = "models", 30, "the terms have changed as often as they can; make a new model"


class ChangeEmpty(ChainError):
    codespace, code, text = "models", 31, "nothing would change; give what is to be different"


class DatasetUnfit(ChainError):
    codespace, code = "models", 32
    text = "attached rows have the features and classes of the contract's; make a new model for others"


class ModelPaused(ChainError):
    codespace, code, text = "models", 33, "the model is paused already; resume it to go on"


class ModelNotPaused(ChainError):
    codespace, code, text = "models", 34, "the model is not paused; there is nothing to resume"


class PausedByGovernance(ChainError):
    codespace, code, text = "models", 35, "what governance paused only governance resumes; propose it there"


class AdminNotOffered(ChainError):
    codespace, code, text = "models", 36, "the model is not offered to this account; ask its admin to offer it"


class VersionNotFound(ChainError):
    codespace, code, text = "models", 37, "the model has had no terms of this version; ask for an earlier one"


class AuditFeeTooLow(ChainError):
    codespace, code = "models", 38
    text = "auditors are paid for what they recompute; raise audit_fee_ppm or the reward, or have less recomputed"


class InferencePolicyInvalid(ChainError):
    codespace, code, text = "models", 39, "the inference policy is out of range"


class HoldsExhausted(ChainError):
    codespace, code = "models", 40
    text = "open requests and sessions hold the weights of as many earlier rounds as they can; ask for the newest"
