"""Changes of a contract after its creation: of terms, of who is invited, of where it stands in its life.

Reads/Writes: nothing. Source: README.md of the room.
"""

from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_PAUSED, Model, ModelSpec, ModelStatus
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgInviteTrainers, MsgUpdateModel
from abci_app.x.models.errors import ChangeEmpty, RoundPolicyInvalid, TrainersInvalid
from abci_app.x.models.types.limits import POLICIES


def check_change(old: ModelSpec, new: ModelSpec, rounds_dealt: int) -> None:
    """What holds of every change of terms, whoever makes it. rounds_dealt: closed ones and the one that runs.

    Raises ChangeEmpty (models/31), RoundPolicyInvalid (models/10).
    """
    if new == old:
        raise ChangeEmpty()
    if new.training.kept_rounds < old.training.kept_rounds:
        raise RoundPolicyInvalid(f"kept_rounds is {old.training.kept_rounds} and would be {new.training.kept_rounds}; "
                                 "it never falls, since blocks take away one round's weights at a time")
    rounds = new.training.rounds
    if rounds != old.training.rounds and 0 < rounds <= rounds_dealt:
        raise RoundPolicyInvalid(f"rounds would be {rounds}, and {rounds_dealt} have been dealt; take more, or 0 to "
                                 "train without end")


def merge_policies(spec: ModelSpec, msg: MsgUpdateModel) -> ModelSpec:
    """`spec` with those policies that a message has."""
    merged = ModelSpec()
    merged.CopyFrom(spec)
    for policy in POLICIES:
        if msg.HasField(policy):
            getattr(merged, policy).CopyFrom(getattr(msg, policy))
    return merged


def list_invited(invited: list[str], msg: MsgInviteTrainers) -> list[str]:
    """Who is invited after a message. Raises TrainersInvalid (models/19) for who is removed and was not invited."""
    if msg.open:
        return []
    for text in msg.remove:
        if text not in invited:
            raise TrainersInvalid(f"{text} is removed, and was not invited")
    return [text for text in invited if text not in msg.remove] + list(msg.add)


def find_phase(model: Model) -> ModelStatus:
    """Where a model stands in its life, whether paused or not."""
    return model.resumed_status if model.status == MODEL_STATUS_PAUSED else model.status


def set_phase(model: Model, phase: ModelStatus) -> None:
    """Move a model on in its life; one that is paused stays so."""
    if model.status == MODEL_STATUS_PAUSED:
        model.resumed_status = phase
    else:
        model.status = phase
