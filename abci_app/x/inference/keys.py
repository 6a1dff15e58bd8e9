"""Every key of the room. Numbers are big-endian and of fixed width, so key order is number order.

Store `inference`: 01 model address -> Host; 02 model price address -> 01 while it is ACTIVE; 03 model -> number of
ACTIVE (u32); 04 request -> Request, without its question; 05 request -> Question; 06 request hash -> an answer that a
host has shown (32 bytes of its hash in the key); 07 stage height request -> 01 while something is due with that block;
08 user request -> 01; 09 host request -> 01 while the host has a seat of it that is open; 0a -> id of the next
request (u64); 0b -> Archive; 0c -> Params.
"""

from abci_app.wire.ints import u64_bytes
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import REQUEST_STATUS_ANSWERED, REQUEST_STATUS_FAILED

HOSTS = b"\x01"
ACTIVE = b"\x02"
ACTIVE_COUNTS = b"\x03"
REQUESTS = b"\x04"
QUESTIONS = b"\x05"
ANSWERS = b"\x06"
DUE = b"\x07"
BY_USER = b"\x08"
BY_HOST = b"\x09"
NEXT_ID = b"\x0a"
ARCHIVE = b"\x0b"
PARAMS = b"\x0c"


def hosts_of(model_id: int) -> bytes:
    """Prefix of a model's Host records."""
    return HOSTS + u64_bytes(model_id)


def host(model_id: int, address: bytes) -> bytes:
    """Key of a Host record."""
    return hosts_of(model_id) + address


def active_of(model_id: int) -> bytes:
    """Prefix of the marks of a model's active hosts, the cheapest first."""
    return ACTIVE + u64_bytes(model_id)


def active(model_id: int, price_ugrad_per_gma: int, address: bytes) -> bytes:
    """Key of the mark that a host is active at a price."""
    return active_of(model_id) + u64_bytes(price_ugrad_per_gma) + address


def read_active(key: bytes) -> bytes:
    """The host of an active mark's key."""
    return key[17:]


def read_active_model(key: bytes) -> int:
    """The model of an active mark's key."""
    return int.from_bytes(key[1:9], "big")


def active_count(model_id: int) -> bytes:
    """Key of the number of a model's active hosts."""
    return ACTIVE_COUNTS + u64_bytes(model_id)


def request(request_id: int) -> bytes:
    """Key of a Request record."""
    return REQUESTS + u64_bytes(request_id)


def question(request_id: int) -> bytes:
    """Key of what a request asks."""
    return QUESTIONS + u64_bytes(request_id)


def answers_of(request_id: int) -> bytes:
    """Prefix of the answers that hosts have shown for an open request."""
    return ANSWERS + u64_bytes(request_id)


def answer(request_id: int, answer_hash: bytes) -> bytes:
    """Key of an answer that a host has shown."""
    return answers_of(request_id) + answer_hash


def due_in(status: int) -> bytes:
    """Prefix of the marks of requests in a status, the earliest due first; those that have ended share one."""
    return DUE + bytes([REQUEST_STATUS_ANSWERED if status == REQUEST_STATUS_FAILED else status])


def due(status: int, height: int, request_id: int) -> bytes:
    """Key of the mark that a request in a status is due with the block of `height`."""
    return due_in(status) + u64_bytes(height) + u64_bytes(request_id)


def read_due(key: bytes) -> tuple[int, int]:
    """(height, request) of a due mark's key."""
    return int.from_bytes(key[2:10], "big"), int.from_bytes(key[10:], "big")


def by_user(address: bytes) -> bytes:
    """Prefix of the marks of a user's kept requests."""
    return BY_USER + address


def user_mark(address: bytes, request_id: int) -> bytes:
    """Key of the mark that a kept request is a user's."""
    return by_user(address) + u64_bytes(request_id)


def by_host(address: bytes) -> bytes:
    """Prefix of the marks of requests in which a host has an open seat."""
    return BY_HOST + address


def host_mark(address: bytes, request_id: int) -> bytes:
    """Key of the mark that a host has an open seat in a request."""
    return by_host(address) + u64_bytes(request_id)


def read_request_id(key: bytes) -> int:
    """The request that a key ends with."""
    return int.from_bytes(key[-8:], "big")
