"""What a host offers, and what must be in order before it does: the contract, coins, its registration."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import Message

from abci_app.client.chain import ChainClient
from abci_app.client.errors import TxRefused
from abci_app.client.keys import Key
from abci_app.client.send import Sender
from abci_app.host.errors import HostStopped
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.ints import u64_bytes
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, HOST_STATUS_SLASHED, Host,
)
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgRegisterHost, MsgUpdateHost
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, Model
from abci_app.wire.seed import hash_fields
from kernels import dispatch

NUMERICS = "gin1"
PRICE_UGRAD_PER_GMA = 1_000
CAPACITY = 16
FEES_UGRAD = 100_000  # for the first transactions


@dataclass(frozen=True, slots=True)
class Terms:
    """What a host offers; None: as the chain has it, or the usual where it has nothing. bond_ugrad: to hold at least.
    endpoint: empty for none, so that it is asked on the chain alone; None: where the server listens."""

    price_ugrad_per_gma: int | None = None
    capacity: int | None = None
    bond_ugrad: int | None = None
    endpoint: str | None = None


def derive_statement_key(key: Key, chain_id: str, model_id: int) -> Key:
    """The key that signs what a host states in sessions: it lies in a server's memory, the account's need not."""
    context = hash_fields("gradus/statement-key", chain_id.encode(), u64_bytes(model_id))
    return Key(hmac.digest(key.private, context, "sha256"))


def check_model(chain: ChainClient, model_id: int) -> Model:
    """The contract, when this host can answer for it. Raises HostStopped; ModelMissing where there is none."""
    model = chain.get_model(model_id)
    if model.spec.numerics != NUMERICS:
        raise HostStopped(f"model {model_id} asks for numerics {model.spec.numerics!r}, this host has {NUMERICS}",
                          "use a newer version")
    if model.status == MODEL_STATUS_RETIRED:
        raise HostStopped(f"model {model_id} is retired: nothing is asked of it any more")
    if not model.spec.HasField("inference"):
        raise HostStopped(f"the contract of model {model_id} does not say how it is asked",
                          "its admin can add an inference policy")
    return model


def check_host(host: Host | None, model_id: int) -> None:
    """Raises HostStopped for one whose answer was proved wrong: it may only leave."""
    if host is not None and host.status == HOST_STATUS_SLASHED:
        raise HostStopped(f"an answer of {host.address} was proved wrong; {host.bond_ugrad} ugrad are left of the bond",
                          f"gradus host leave {model_id} --key KEY gives them back; then it may register again")


def find_registration(model: Model, host: Host | None, terms: Terms, address: str, endpoint: str,
                      statement_key: bytes) -> MsgRegisterHost | MsgUpdateHost | None:
    """The message that makes the chain's record say what is offered; None where it does."""
    current = host or Host(price_ugrad_per_gma=PRICE_UGRAD_PER_GMA, capacity=CAPACITY)
    bond_ugrad = terms.bond_ugrad if terms.bond_ugrad is not None else model.spec.inference.host_bond_ugrad
    message = MsgUpdateHost(
        host=address, model_id=model.id, endpoint=endpoint,
        price_ugrad_per_gma=terms.price_ugrad_per_gma or current.price_ugrad_per_gma,
        capacity=terms.capacity or current.capacity,
        bond=coin_pb(base_coin(max(bond_ugrad - current.bond_ugrad, 0))),
        statement_key=statement_key if endpoint else b"")
    if host is None:
        return MsgRegisterHost(**{field.name: value for field, value in message.ListFields()})
    same = ("price_ugrad_per_gma", "capacity", "endpoint", "statement_key")
    is_same = all(getattr(message, name) == getattr(host, name) for name in same)
    return None if is_same and message.bond.amount == "0" and host.status == HOST_STATUS_ACTIVE else message


def register(chain: ChainClient, sender: Sender, message: MsgRegisterHost | MsgUpdateHost) -> int:
    """Send the terms; the height at which they stand. Raises HostStopped when the chain or the balance refuses."""
    balance, bond_ugrad = chain.balance(message.host), int(message.bond.amount)
    if balance < bond_ugrad + FEES_UGRAD:
        raise HostStopped(f"{message.host} has {balance} ugrad; the bond takes {bond_ugrad}, and fees come on top",
                          f"send it coins: gradus tx bank send {message.host} AMOUNT --from KEY")
    return send_or_stop(sender, message, "the chain refused the registration")


def send_or_stop(sender: Sender, message: Message, what: str) -> int:
    """Send a message; the height of its block. Raises HostStopped for a refusal."""
    try:
        return sender.send([message]).height
    except TxRefused as error:
        raise HostStopped(f"{what}: {error.text}") from None


def warm_kernels(progress: Callable[[str, int, int], None]) -> None:
    """Compile what answers need before the first one is asked for: seconds on an empty cache, else nothing."""
    dispatch.warm(progress=progress)
