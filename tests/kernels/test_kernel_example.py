"""The example of kernels/README.md, run as it stands there: the same loss and the same text on every machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRINTED = """\
round 1: 2.999 nats a byte
round 2: 2.508 nats a byte
round 3: 2.337 nats a byte
round 4: 2.255 nats a byte
round 5: 2.170 nats a byte
round 6: 2.138 nats a byte
sere ondisth Wor ancluced anfith Wor the, ind the Work and t
"""


def test_example_of_the_specification_prints_what_it_says() -> None:
    program = (ROOT / "kernels" / "README.md").read_text().split("```python\n")[1].split("```")[0]
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
                         capture_output=True, text=True, check=True)
    assert run.stdout == PRINTED
