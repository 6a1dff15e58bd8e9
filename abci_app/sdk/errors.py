"""What can go wrong between a user and a host. `exit_status` is what a command ends with."""

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
