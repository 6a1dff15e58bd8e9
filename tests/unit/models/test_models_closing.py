"""Closing a model on a whole chain: never under a running round, and nobody's coins are left behind."""

from pathlib import Path

from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCloseModel, MsgCreateModel
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgEnroll, MsgLeave
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_COMMIT, ROUND_PHASE_WAITING
from tests.chain import Chain, address_of, codes
from tests.unit.models.rooms import small_spec

FUNDS_UGRAD = 100_000_000
BLOCKS_MAX = 20


def test_model_is_closed_when_its_round_has_failed_for_want_of_trainers_and_everybody_has_their_coins_back(
        tmp_path: Path) -> None:
    spec = small_spec(trainers_min=1)
    spec.audit.missed_rounds_max = 1
    spec.training.commit_blocks = 3
    close = MsgCloseModel(admin=address_of("boss"), model_id=1)
    bond = coin_pb(base_coin(spec.economy.bond_ugrad))
    with Chain(tmp_path, {"boss": FUNDS_UGRAD, "ann": FUNDS_UGRAD}) as chain:
        create = MsgCreateModel(creator=address_of("boss"), spec=spec, escrow=coin_pb(base_coin(5_000_000)))
        enroll = MsgEnroll(trainer=address_of("ann"), model_id=1, bond=bond)
        assert codes(chain.block([chain.sign("boss", create), chain.sign("ann", enroll)])) == [("", 0)] * 2
        app = chain.app
        while app.work.find_round(chain.ctx(), 1, 1) is None and chain.height < BLOCKS_MAX:
            chain.block()
        assert app.work.get_round(chain.ctx(), 1, 1).phase == ROUND_PHASE_COMMIT
        assert codes(chain.block([chain.sign("boss", close)])) == [("models", 26)]
        while app.work.get_round(chain.ctx(), 1, 1).phase != ROUND_PHASE_WAITING and chain.height < BLOCKS_MAX:
            chain.block()
        leave = MsgLeave(trainer=address_of("ann"), model_id=1)
        assert codes(chain.block([chain.sign("boss", close), chain.sign("ann", enroll)])) == [("", 0), ("work", 2)]
        assert codes(chain.block([chain.sign("ann", leave)])) == [("", 0)]
        model = app.models.get_model(chain.ctx(), 1)
        assert (model.status, model.escrow_ugrad) == (MODEL_STATUS_RETIRED, 0)
        fee_ugrad = 1_000
        assert chain.balance("boss") == FUNDS_UGRAD - 3 * fee_ugrad
        assert chain.balance("ann") == FUNDS_UGRAD - 3 * fee_ugrad
        chain.block()
        state = chain.app.export_genesis(chain.ctx())
    with Chain(tmp_path / "again", app_state=state) as again:
        again.block()
        assert again.app.models.get_model(again.ctx(), 1).status == MODEL_STATUS_RETIRED
