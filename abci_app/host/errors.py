"""Why a host ends, and how it refuses a user."""


class HostStopped(Exception):
    """The host cannot go on, and says what would change that."""

    def __init__(self, text: str, hint: str = "") -> None:
        self.text, self.hint = text, hint
        super().__init__(text)


class JournalBusy(Exception):
    """Another process holds the journal."""


class Refusal(Exception):
    """What a user is told instead of an answer. status: of HTTP; code: one of client/host_api.py."""

    def __init__(self, status: int, code: str, text: str, hint: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.hint, self.retry_after_s = status, code, text, hint, retry_after_s
