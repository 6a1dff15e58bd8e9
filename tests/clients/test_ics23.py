"""Proofs of presence and of absence, in both levels of the state, by the stock JavaScript ICS-23 verifier."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.clients.ics23.cases import PROVED, make_cases
from tests.clients.node import find_node, install_client

PACKAGE = Path(__file__).parent / "ics23"


def test_stock_verifier_accepts_every_true_proof_and_refuses_every_forged_one(tmp_path: Path) -> None:
    node = find_node()
    shutil.copy(PACKAGE / "verify.js", tmp_path)
    (tmp_path / "node_modules").symlink_to(install_client(node, PACKAGE))
    cases = make_cases()
    done = subprocess.run([str(node.binary), "verify.js"], cwd=tmp_path, input=json.dumps(cases), text=True,
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    for name in PROVED:
        absent = [case["value"] is None for case in cases if case["store_name"] == name]
        assert 0 < sum(absent) < len(absent)
    assert report["cases"] == len(cases)
    assert report["accepted"] == 2 * len(cases)
