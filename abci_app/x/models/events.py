"""Events of the room. Attributes are decimal integers, bech32 and lower-case hex, in the order written here."""

from abci_app.runtime.events import Event, new_event
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model


def model_created(model: Model) -> Event:
    """A contract was made; its escrow is taken and its initial weights stand."""
    return new_event("models.model_created", model_id=model.id, admin=model.admin, name=model.spec.name,
                     weights_root=model.weights_root.hex(), escrow_ugrad=model.escrow_ugrad)


def model_funded(model: Model, sender: str, amount_ugrad: int) -> Event:
    """Somebody added to the escrow, which now holds escrow_ugrad."""
    return new_event("models.model_funded", model_id=model.id, sender=sender, amount_ugrad=amount_ugrad,
                     escrow_ugrad=model.escrow_ugrad)


def training_started(model: Model) -> Event:
    """The first round may open."""
    return new_event("models.training_started", model_id=model.id)


def round_closed(model: Model) -> Event:
    """New weights stand: those after `round` rounds."""
    return new_event("models.round_closed", model_id=model.id, round=model.rounds_closed,
                     weights_root=model.weights_root.hex())


def training_finished(model: Model) -> Event:
    """The last round of the policy is closed; the model serves."""
    return new_event("models.training_finished", model_id=model.id, rounds=model.rounds_closed)


def model_closed(model: Model, refunded_ugrad: int) -> Event:
    """The model is retired; its admin got back what the escrow held."""
    return new_event("models.model_closed", model_id=model.id, admin=model.admin, refunded_ugrad=refunded_ugrad)
