"""Errors of codespace `work`. Codes are append-only."""

from abci_app.wire.errors import ChainError


class ModelNotLive(ChainError):
    codespace, code, text = "work", 2, "the model trains no longer; enrol with one that is open or training"


class TrainerNotInvited(ChainError):
    codespace, code, text = "work", 3, "the contract names its trainers; ask its admin, or take an open one"


class TrainerActive(ChainError):
    codespace, code, text = "work", 4, "already enrolled and active; there is nothing to do"


class TrainerSlashed(ChainError):
    codespace, code = "work", 5
    text = "a claim of this trainer was proved wrong; leave first, then enrol with a new bond"


class TrainersFull(ChainError):
    codespace, code, text = "work", 6, "the model has as many active trainers as it can; try when one has left"


class BondTooLow(ChainError):
    codespace, code, text = "work", 7, "the bond is below the contract's; offer at least what is missing"


class BondTooLarge(ChainError):
    codespace, code, text = "work", 8, "a bond stays below 2^64 ugrad"


class TrainerNotFound(ChainError):
    codespace, code, text = "work", 9, "this account is not enrolled with the model; enrol first"


class TrainerBusy(ChainError):
    codespace, code, text = "work", 10, "a unit is running or not settled yet; leave when its round is settled"


class CommitmentMalformed(ChainError):
    codespace, code, text = "work", 11, "a commitment has 32 bytes"


class RoundNotFound(ChainError):
    codespace, code, text = "work", 12, "no such round is running or kept; ask for the running round"


class PhaseNotCommit(ChainError):
    codespace, code, text = "work", 13, "the round takes no commitments now; wait for the next round"


class UnitNotFound(ChainError):
    codespace, code, text = "work", 14, "the round has no such unit; ask for your assignments"


class UnitNotAssigned(ChainError):
    codespace, code, text = "work", 15, "the unit was dealt to another trainer; ask for your assignments"


class UnitCommitted(ChainError):
    codespace, code, text = "work", 16, "a commitment cannot be changed; reveal it when the phase comes"


class TraceRootMalformed(ChainError):
    codespace, code, text = "work", 17, "a trace root has 32 bytes"


class SaltMalformed(ChainError):
    codespace, code, text = "work", 18, "a salt has 32 bytes"


class PhaseNotReveal(ChainError):
    codespace, code, text = "work", 19, "the round takes no reveals now; wait for its reveal phase"


class UnitNotCommitted(ChainError):
    codespace, code, text = "work", 20, "the unit was not committed in time; wait for the next round"


class UnitRevealed(ChainError):
    codespace, code, text = "work", 21, "the unit is already revealed; there is nothing to do"


class PayloadInvalid(ChainError):
    codespace, code, text = "work", 22, "the payload is not one that the contract's codec writes"


class CommitmentMismatch(ChainError):
    codespace, code = "work", 23
    text = "payload, its root, trace root and salt do not give the commitment; reveal exactly what was committed"


# 24 to 29: retired with audits inside blocks


class AttemptOver(ChainError):
    codespace, code = "work", 30
    text = "the round was dealt again since; ask for your assignments and compute the new unit"


class PayloadRootMalformed(ChainError):
    codespace, code, text = "work", 31, "a payload root has 32 bytes"


class PartMalformed(ChainError):
    codespace, code = "work", 32
    text = "a part of a payload holds as many whole regions as 512 KiB hold, the last one the rest"


class PartOutOfTurn(ChainError):
    codespace, code = "work", 33
    text = "parts are revealed in turn, part 0 with the reveal itself; send the one that is due"


class TrainerCoolingDown(ChainError):
    codespace, code, text = "work", 34, "a trainer that withheld a reveal waits before it may enrol again or leave"
