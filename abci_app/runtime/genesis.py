"""Reading a genesis that people edit by hand: every mistake is named by its path, with a hint.

Integers stand in it as decimal strings, bytes as lower-case hex, addresses in bech32.
"""

from dataclasses import dataclass
from typing import Any

from abci_app.wire.address import decode_address
from abci_app.wire.errors import ChainError
from abci_app.wire.ints import U64_MAX

ITEMS_MAX = 1_000_000


class GenesisInvalid(Exception):
    """The genesis cannot start a chain. `path` says where, `problem` what, `hint` what to do."""

    def __init__(self, path: str, problem: str, hint: str) -> None:
        self.path, self.problem, self.hint = path, problem, hint
        super().__init__(f"{path}: {problem} ({hint})")


def read_hex(path: str, text: Any) -> bytes:
    """Bytes of any length, written in lower-case hex. Raises GenesisInvalid."""
    try:
        data = bytes.fromhex(text)
    except (TypeError, ValueError):
        raise GenesisInvalid(path, "not hex", "write bytes as lower-case hex") from None
    if data.hex() != text:
        raise GenesisInvalid(path, "not canonical hex", "write bytes as lower-case hex")
    return data


@dataclass(frozen=True, slots=True)
class Section:
    """One JSON object of the genesis and the path to it."""

    path: str
    value: Any

    def only(self, *names: str) -> "Section":
        """This section, if it is an object with no field but `names`. Raises GenesisInvalid."""
        if not isinstance(self.value, dict):
            raise GenesisInvalid(self.path, "not a JSON object", f"its fields are {', '.join(names)}")
        for name in sorted(self.value, key=str):
            if name not in names:
                raise GenesisInvalid(f"{self.path}.{name}", "unknown field", f"known are {', '.join(names)}")
        return self

    def text(self, name: str, default: str | None = None) -> str:
        """A string. Raises GenesisInvalid."""
        value = self.value.get(name, default)
        if not isinstance(value, str):
            raise GenesisInvalid(f"{self.path}.{name}", "missing or not a string", "write it in quotes")
        return value

    def uint(self, name: str, most: int = U64_MAX) -> int:
        """A number 0..most, written as a decimal string. Raises GenesisInvalid."""
        path, text = f"{self.path}.{name}", self.value.get(name)
        if not isinstance(text, str) or not (text.isascii() and text.isdigit()) or len(text) > 39:
            raise GenesisInvalid(path, "not a decimal integer in quotes", 'write it as "1000"')
        if len(text) > 1 and text[0] == "0":
            raise GenesisInvalid(path, f"{text} has leading zeros", "leave them out")
        if int(text) > most:
            raise GenesisInvalid(path, f"{text} is too large", f"the most is {most}")
        return int(text)

    def raw(self, name: str, *sizes: int) -> bytes:
        """Bytes of one of the `sizes`, written in lower-case hex. Raises GenesisInvalid."""
        path = f"{self.path}.{name}"
        data = read_hex(path, self.text(name))
        if len(data) not in sizes:
            wanted = " or ".join(str(size) for size in sizes)
            raise GenesisInvalid(path, f"{len(data)} bytes", f"write {wanted} bytes as lower-case hex")
        return data

    def address(self, name: str) -> bytes:
        """An account address in bech32. Raises GenesisInvalid."""
        try:
            return decode_address(self.text(name))
        except ChainError as error:
            raise GenesisInvalid(f"{self.path}.{name}", error.detail, "an address begins with gradus1") from None

    def sections(self, name: str) -> list["Section"]:
        """The objects of a list; an absent list is empty. Raises GenesisInvalid."""
        path, items = f"{self.path}.{name}", self.value.get(name, [])
        if not isinstance(items, list):
            raise GenesisInvalid(path, "not a list", "write it in [ ]")
        if len(items) > ITEMS_MAX:
            raise GenesisInvalid(path, f"{len(items)} items", f"the most is {ITEMS_MAX}")
        return [Section(f"{path}[{index}]", item) for index, item in enumerate(items)]
