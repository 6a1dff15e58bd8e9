"""The options of a contract's network: hidden layers of a perceptron, or the shape of a decoder."""

import re
from typing import Any

import click

from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import combine
from abci_app.data.manifest import Manifest
from abci_app.runtime.contract import find_architecture
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Decoder, ModelSpec
from abci_app.x.models.types.defaults import DECODER

HIDDEN = (128, 64)
DECODER_OPTIONS = ("width", "heads", "layers", "positions")
WIDTH = re.compile("[1-9][0-9]{0,5}")
POSITIONS = ("learned", "rotary")
POSITIVE = click.IntRange(1, 65_536)  # the contract's own checks have the last word
network_options = combine(
    click.option("--hidden", help="Widths of the hidden layers [128,64, or the half, a quarter ... for wide rows]; of "
                                  f"a text that of its decoder's blocks [{DECODER.hidden}]."),
    click.option("--width", type=POSITIVE, help=f"Of a decoder's stream [{DECODER.width}]."),
    click.option("--heads", type=POSITIVE, help=f"Of a decoder's attention [{DECODER.heads}]."),
    click.option("--layers", type=POSITIVE, help=f"Blocks of a decoder [{DECODER.layers}]."),
    click.option("--positions", type=click.Choice(POSITIONS),
                 help=f"How a decoder tells places apart [{DECODER.positions}]."))


def parse_widths(text: str) -> tuple[int, ...]:
    """`128,64` as (128, 64); empty text for no hidden layer."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(WIDTH.fullmatch(part) for part in parts):
        raise CommandError(f"{text!r} are not widths of layers", "such as 128,64", ExitStatus.USAGE)
    return tuple(int(part) for part in parts)


def read_shape(manifest: Manifest, terms: dict[str, Any]) -> tuple[tuple[int, ...], Decoder]:
    """(hidden layers for rows of a table, shape for those of a text) by the options. CommandError for one that the
    dataset's network has not."""
    hidden, shape = terms["hidden"], Decoder()
    widths = HIDDEN if hidden is None else parse_widths(hidden)
    shape.CopyFrom(DECODER)
    given = [name for name in DECODER_OPTIONS if terms[name] is not None]
    if given and not manifest.vocabulary:
        raise CommandError(f"--{given[0]} is of a decoder, and {manifest.name} is no text",
                           "--hidden gives the layers of its network", ExitStatus.USAGE)
    for name in given:
        setattr(shape, name, terms[name])
    if manifest.vocabulary and hidden is not None:
        if len(widths) != 1:
            raise CommandError(f"--hidden {hidden!r} is not one width, that of all blocks", "such as --hidden 256",
                               ExitStatus.USAGE)
        shape.hidden = widths[0]
    return widths, shape


def check_fits(spec: ModelSpec, terms: dict[str, Any]) -> None:
    """CommandError where the hidden layers that were asked for had to be made narrower."""
    architecture, hidden = find_architecture(spec), terms["hidden"]
    fitting = (spec.decoder.hidden,) if architecture == "decoder" else tuple(getattr(spec, architecture).widths[1:-1])
    if hidden is not None and fitting != parse_widths(hidden):
        raise CommandError(f"hidden layers of {hidden} are too large for a contract",
                           f"--hidden {','.join(map(str, fitting))} fits", ExitStatus.USAGE)
