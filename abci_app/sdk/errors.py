"""What can go wrong between a user and a host. `exit_status` is what a command ends with."""

from collections.abc import Sequence

from abci_app.client.errors import ClientError


class HostUnreachable(ClientError):
    """No host answers at the address, or it fell silent: the question may have been answered all the same."""

    exit_status = 3


class HostRefused(ClientError):
    """A host has refused, and said why. status: of HTTP; code: one of client/host_api.py; retry_after_s: when to come
    back, 0 for never."""

    def __init__(self, status: int, code: str, text: str, hint: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(text, hint)
        self.status, self.code, self.retry_after_s = status, code, retry_after_s


class HostFaulty(ClientError):
    """What a host has sent does not verify: nothing was signed for it, and nothing more is asked of this host."""

    exit_status = 4


class DepositSpent(ClientError):
    """What is left of a session's deposit does not pay the question."""


class SessionBusy(ClientError):
    """Another process, or another thread, works with the session."""


class JournalDamaged(ClientError):
    """The journal of a session cannot be read, or knows less than the chain does."""


class KeyMissing(ClientError):
    """Something is to be paid, and there is no key to pay with."""

    exit_status = 2


class HostsMissing(ClientError):
    """Too few hosts would answer now."""


class RecordMissing(ClientError):
    """The chain has no such request or session, or keeps it no longer."""


class RequestFailed(ClientError):
    """A request ended without an answer; the user has all its coins back."""

    def __init__(self, request_id: int, reason: str, refund_ugrad: int) -> None:
        super().__init__(f"request {request_id} was not answered: {reason or 'no reason is told'}; {refund_ugrad} "
                         "ugrad came back", "ask again, of more hosts or with a later deadline")
        self.request_id, self.reason, self.refund_ugrad = request_id, reason, refund_ugrad


class AnswerMissing(ClientError):
    """An answer is too large for the chain, and no host that was paid for it gives it out."""

    exit_status = 3

    def __init__(self, request_id: int, answer_hash: bytes, problems: Sequence[str]) -> None:
        super().__init__(f"no host gives out the answer of request {request_id}, whose hash is {answer_hash.hex()}: "
                         + ("; ".join(problems) or "none of them has an endpoint"),
                         f"ask again for a while: gradus infer --request {request_id}")
        self.request_id, self.answer_hash = request_id, answer_hash
