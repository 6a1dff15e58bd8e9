"""What miners, auditors and watchers tell while they work."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a process tells: a name and plain fields."""

    name: str
    fields: dict[str, int | str] = field(default_factory=dict)


Report = Callable[[Event], None]
