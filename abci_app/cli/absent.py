"""What is not on the chain: the same answer of every command, with what there is instead."""

from abci_app.cli.errors import CommandError
from abci_app.client.chain import ChainClient
from abci_app.miner.reasons import describe_wait
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_PAUSED, MODEL_STATUS_RETIRED, Model


def new_round_absent(chain: ChainClient, model_id: int, number: int) -> CommandError:
    """Why a model has no such round, 0: none that runs. Raises ModelMissing."""
    model = chain.get_model(model_id)
    if not number:
        return CommandError(f"no round of model {model_id} runs: {_describe_rest(chain, model)}",
                            _choose_next(model))
    if number > model.rounds_closed:
        return CommandError(f"model {model_id} has had no round {number}: {model.rounds_closed} are closed",
                            f"leave the number out for the one that runs: gradus query work round {model_id}")
    return CommandError(f"the record of round {number} of model {model_id} is kept no longer",
                        f"`gradus audit {model_id} {number}` rebuilds it from blocks")


def new_unit_absent(chain: ChainClient, model_id: int, number: int, index: int) -> CommandError:
    """Why there is no such unit, which may be because there is no such round or model. Raises ModelMissing."""
    dealing = chain.find_round(model_id, number)
    if dealing is None or dealing.round is None:
        return new_round_absent(chain, model_id, number)
    return CommandError(f"round {number} of model {model_id} has no unit {index}: it has {len(dealing.units)}, from 0 "
                        "on", f"`gradus query work round {model_id} {number}` shows them")


def _describe_rest(chain: ChainClient, model: Model) -> str:
    if model.status == MODEL_STATUS_RETIRED:
        return "it is closed"
    lacking = describe_wait(chain, model.id)
    return f"it waits for {lacking}" if lacking else f"it is trained, after {model.rounds_closed} rounds"


def _choose_next(model: Model) -> str:
    if model.status == MODEL_STATUS_PAUSED:
        return f"gradus tx models resume {model.id} --from KEY"
    closed = f"{model.id} {model.rounds_closed}"
    return f"`gradus query work round {closed}` shows the last one" if model.rounds_closed else ""
