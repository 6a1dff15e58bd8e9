"""The validators room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, QueryRoute, bind
from abci_app.wire.pb.gradus.validators.v1 import query_pb2
from abci_app.x.validators import block, genesis, invariants, queries
from abci_app.x.validators.keeper import Keeper

QUERY = "/gradus.validators.v1.Query/"


def new_module(keeper: Keeper) -> Module:
    """The room over its keeper."""
    return Module(
        name="validators",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        init_validators=lambda ctx, founding: genesis.init_validators(ctx, keeper, founding),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        queries=tuple(QueryRoute(QUERY + name, request, bind(run, keeper)) for name, request, run in (
            ("Validator", query_pb2.QueryValidatorRequest, queries.query_validator),
            ("Validators", query_pb2.QueryValidatorsRequest, queries.query_validators),
            ("Misbehaviour", query_pb2.QueryMisbehaviourRequest, queries.query_misbehaviour),
        )),
        begin_block=partial(block.take_misbehaviour, keeper=keeper),
        validator_updates=partial(block.compute_updates, keeper=keeper),
        invariants=(Invariant("validators/set", partial(invariants.check_set, keeper=keeper)),
                    Invariant("validators/records", partial(invariants.check_records, keeper=keeper))),
    )
