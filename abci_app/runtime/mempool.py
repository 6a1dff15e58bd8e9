"""What a mempool knows of accounts: the last state, and what all that was admitted since then has used up.

Plain numbers instead of layers of records: nothing of it is ever written, and an admission needs no more.
"""

from dataclasses import dataclass, field

from abci_app.runtime.context import Ctx
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount


@dataclass(slots=True)
class Mempool:
    """The state after the last block, as the next one would see it, and the accounts of what waits for that.

    accounts: those that signed something that waits, with the sequences that come next. left_ugrad: what those that
    pay have left for fees. Both hold accounts of admitted transactions only, and nothing else writes to them.
    """

    ctx: Ctx
    gas_price_ppm: int
    accounts: dict[bytes, BaseAccount] = field(default_factory=dict)
    left_ugrad: dict[bytes, int] = field(default_factory=dict)
