"""Answers of `gradus.validators.v1.Query`."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.paging import read_page
from abci_app.wire.errors import NotFound
from abci_app.wire.pb.gradus.validators.v1 import query_pb2
from abci_app.wire.pb.gradus.validators.v1.validators_pb2 import Misbehaviour, Validator
from abci_app.x.validators import keys
from abci_app.x.validators.keeper import Keeper
from abci_app.x.validators.types import ADDRESS_BYTES, STORE


def query_validator(ctx: Ctx, keeper: Keeper,
                    request: query_pb2.QueryValidatorRequest) -> query_pb2.QueryValidatorResponse:
    """A validator by its consensus address. Raises NotFound (sdk/22)."""
    is_address = len(request.consensus_address) == ADDRESS_BYTES
    found = keeper.find_validator(ctx, request.consensus_address) if is_address else None
    if found is None:
        raise NotFound(f"no validator {request.consensus_address.hex().upper():.40} on this chain")
    return query_pb2.QueryValidatorResponse(validator=found)


def query_validators(ctx: Ctx, keeper: Keeper,
                     request: query_pb2.QueryValidatorsRequest) -> query_pb2.QueryValidatorsResponse:
    """All validators, those without power too, in the order of consensus addresses, by pages."""
    records, page = read_page(ctx.state.store(STORE), keys.VALIDATORS, request.pagination)
    return query_pb2.QueryValidatorsResponse(validators=[Validator.FromString(raw) for _, raw in records],
                                             pagination=page)


def query_misbehaviour(ctx: Ctx, keeper: Keeper,
                       request: query_pb2.QueryMisbehaviourRequest) -> query_pb2.QueryMisbehaviourResponse:
    """All records that are kept, by the height of the misbehaviour, by pages."""
    records, page = read_page(ctx.state.store(STORE), keys.MISBEHAVIOURS, request.pagination)
    return query_pb2.QueryMisbehaviourResponse(misbehaviours=[Misbehaviour.FromString(raw) for _, raw in records],
                                               pagination=page)
