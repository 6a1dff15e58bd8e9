"""Processes that work until they are stopped: what a person or a program sees of them, and how they are ended."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click
from rich.console import Console
from rich.status import Status

from abci_app.cli.output import grad_text
from abci_app.units.events import Event, Report

NAP_S = 0.1


class Nap:
    """Sleeping that a signal cuts short. The first SIGINT or SIGTERM asks for an end, the second interrupts."""

    def __init__(self) -> None:
        self._is_woken = False
        self._signals = 0

    def __call__(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._is_woken and time.monotonic() < end:
            time.sleep(max(0.0, min(NAP_S, end - time.monotonic())))
        self._is_woken = False

    @contextmanager
    def signals(self, stop: Callable[[], None], told: str) -> Iterator[None]:
        """Handle the signals inside the block, and give them back afterwards. The first one calls `stop` and tells
        `told`."""
        def handle(number: int, frame: FrameType | None) -> None:
            self._signals += 1
            self._is_woken = True
            if self._signals > 1:
                raise KeyboardInterrupt
            stop()
            click.echo(told, err=True)

        kept = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)


@contextmanager
def event_teller(output: str) -> Iterator[Report]:
    """Tells events: JSON lines, plain lines, or on a terminal lines above a standing line."""
    console = Console(stderr=output == "json")
    if output == "json" or not console.is_terminal:
        yield lambda event: _tell_line(event, output)
        return
    with Status("starting", console=console) as line:
        def tell(event: Event) -> None:
            if event.name == "standing":
                line.update(write_event(event))
            else:
                console.print(write_event(event), highlight=False)
        yield tell


def _tell_line(event: Event, output: str) -> None:
    if output == "json":
        click.echo(json.dumps({"event": event.name, **event.fields}))
    else:
        click.echo(f"{time.strftime('%H:%M:%S')} {write_event(event)}")
    sys.stdout.flush()


def write_event(event: Event) -> str:
    """One line for people: `revealed   round 3, unit 1, height 57`."""
    parts = []
    for name, value in event.fields.items():
        if name.endswith("_ugrad") and isinstance(value, int):
            parts.append(f"{name.removesuffix('_ugrad')} {grad_text(value).partition(' ')[0]}")
        elif name == "waiting_for":
            parts.append(f"waiting for {value}")
        elif name == "problem":
            parts.append(str(value))
        elif name == "accepted" and "pending" in event.fields:
            parts.append(f"accepted {value} so far")
        elif name == "pending":
            parts.append(f"{value} still to be accepted when the round closes")
        elif name == "challengeable":
            parts.append(f"{value} can still be challenged (gradus watch answers)")
        elif name == "next":
            parts.append(f"get the bond back: {value}" if value else "")
        elif value != "":
            parts.append(f"{name} {value}")
    return f"{event.name:<10} {', '.join(part for part in parts if part)}"
