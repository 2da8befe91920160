"""Every row of the table of `python -m tests.faults`, as a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.proof import Place, Proof
from tests.faults.table import all_proofs
from tests.kit.server import Running


def _parameter(proof: Proof) -> object:
    mark = pytest.mark.slow if proof.kind == "quick" else getattr(pytest.mark, proof.kind)
    return pytest.param(proof, id=proof.name, marks=[mark, pytest.mark.timeout(300)])


@pytest.mark.parametrize("proof", [_parameter(proof) for proof in all_proofs()])
def test_the_service_outlives(proof: Proof, tmp_path: Path, running: Running) -> None:
    seen = proof.run(Place(tmp_path, running))
    assert seen, "a proof returns its outcome"
