"""The work room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, MsgRoute, QueryRoute, bind
from abci_app.wire.pb.gradus.work.v1 import query_pb2, tx_pb2
from abci_app.x.work import block, genesis, invariants, queries, types
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.msgs import claim, trainer

QUERY = "/gradus.work.v1.Query/"


def new_module(keeper: Keeper) -> Module:
    """The room over its keeper."""
    return Module(
        name="work",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        msgs=(
            MsgRoute(tx_pb2.MsgEnroll, tx_pb2.MsgEnrollResponse, "trainer", types.check_enroll,
                     bind(trainer.enroll, keeper)),
            MsgRoute(tx_pb2.MsgLeave, tx_pb2.MsgLeaveResponse, "trainer", types.check_leave,
                     bind(trainer.leave, keeper)),
            MsgRoute(tx_pb2.MsgCommitWork, tx_pb2.MsgCommitWorkResponse, "trainer", types.check_commit_work,
                     bind(claim.commit_work, keeper)),
            MsgRoute(tx_pb2.MsgRevealWork, tx_pb2.MsgRevealWorkResponse, "trainer", types.check_reveal_work,
                     bind(claim.reveal_work, keeper)),
            MsgRoute(tx_pb2.MsgRevealPart, tx_pb2.MsgRevealPartResponse, "trainer", types.check_reveal_part,
                     bind(claim.reveal_part, keeper)),
        ),
        queries=tuple(QueryRoute(QUERY + name, request, bind(run, keeper)) for name, request, run in (
            ("Trainer", query_pb2.QueryTrainerRequest, queries.query_trainer),
            ("Trainers", query_pb2.QueryTrainersRequest, queries.query_trainers),
            ("Round", query_pb2.QueryRoundRequest, queries.query_round),
            ("Assignments", query_pb2.QueryAssignmentsRequest, queries.query_assignments),
            ("Payload", query_pb2.QueryPayloadRequest, queries.query_payload),
            ("Slashes", query_pb2.QuerySlashesRequest, queries.query_slashes),
        )),
        begin_block=partial(block.begin_block, keeper=keeper),
        end_block=partial(block.end_block, keeper=keeper),
        invariants=tuple(Invariant(name, partial(check, keeper=keeper)) for name, check in (
            ("work/bonds", invariants.check_bonds),
            ("work/active", invariants.check_active),
            ("work/open_units", invariants.check_open_units),
            ("work/rounds", invariants.check_rounds),
            ("work/weights", invariants.check_weights),
            ("work/audits", invariants.check_audits),
            ("work/payloads", invariants.check_payloads),
            ("work/due", invariants.check_due),
            ("work/settling", invariants.check_settling),
            ("work/pay", invariants.check_pay),
        )),
    )
