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


def terms_changed(model: Model) -> Event:
    """Other terms are in force."""
    return new_event("models.terms_changed", model_id=model.id, spec_version=model.spec_version)


def terms_pending(model: Model) -> Event:
    """Other terms wait for the running round to end; they will have the next version."""
    return new_event("models.terms_pending", model_id=model.id, spec_version=model.spec_version + 1)


def terms_withdrawn(model: Model) -> Event:
    """No other terms wait any more: a last change took them back."""
    return new_event("models.terms_withdrawn", model_id=model.id)


def training_extended(model: Model) -> Event:
    """A model that served trains again, up to `rounds` (0: without end)."""
    return new_event("models.training_extended", model_id=model.id, rounds=model.spec.training.rounds)


def trainers_invited(model: Model) -> Event:
    """Who may train has changed: `invited_count` accounts, 0 for anyone."""
    return new_event("models.trainers_invited", model_id=model.id, invited_count=len(model.spec.invited_trainers))


def model_paused(model: Model) -> Event:
    """No round is dealt until the model is resumed."""
    return new_event("models.model_paused", model_id=model.id, paused_by=model.paused_by)


def model_resumed(model: Model) -> Event:
    """The model goes on."""
    return new_event("models.model_resumed", model_id=model.id)


def admin_offered(model: Model) -> Event:
    """The model is offered to an account, or to nobody any more."""
    return new_event("models.admin_offered", model_id=model.id, recipient=model.offered_admin)


def admin_changed(model: Model) -> Event:
    """The model has another admin."""
    return new_event("models.admin_changed", model_id=model.id, admin=model.admin)
