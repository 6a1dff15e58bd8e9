"""The heat map of accuracies: a panel for each alpha, a row for each rule and codec, a column for each attack."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.bench.drawing import load_matplotlib

Panel = tuple[str, list[str], list[list[float]]]


def draw(panels: Sequence[Panel], attacks: Sequence[str], file: Path) -> None:
    """Write the map. panels: title, names of rows, accuracies in percent, nan where there is none."""
    height = max(len(names) for _, names, _ in panels)
    size = 0.5 * len(attacks) * len(panels) + 4, 0.27 * height + 1.4
    figure, axes = load_matplotlib().subplots(1, len(panels), figsize=size, squeeze=False, layout="constrained")
    for axis, (title, names, shares) in zip(axes[0], panels):
        drawn = axis.imshow(np.array(shares), vmin=0, vmax=100, cmap="RdYlGn", aspect="auto")
        axis.set_xticks(range(len(attacks)), attacks, rotation=55, ha="right", fontsize=7)
        axis.set_yticks(range(len(names)), names, fontsize=7)
        axis.set_title(title, fontsize=9)
    figure.colorbar(drawn, ax=axes[0].tolist(), shrink=0.6, label="accuracy in percent")
    figure.savefig(file, metadata={"Date": None})
