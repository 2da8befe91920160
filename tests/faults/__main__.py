"""`python -m tests.faults`: attacks the service and prints the outcomes as a table; exit status 1 if a proof fails."""

from __future__ import annotations

import argparse
import logging
import sys

from tests.faults.endurance import endure
from tests.faults.table import all_proofs, print_table


def main() -> int:
    options = _options()
    logging.getLogger("packshot").setLevel(logging.CRITICAL)  # the proofs provoke these refusals on purpose
    if options.endurance:
        return endure(options.endurance)
    chosen = [
        proof
        for proof in all_proofs()
        if proof.kind in options.kinds and proof.group in options.groups and options.only in proof.name
    ]
    return 1 if print_table(chosen) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    kinds = ("quick", "slow", "services", "browser", "release")
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds, help="which proofs; all unless named")
    parser.add_argument("--groups", nargs="+", choices=("abuse", "fault"), default=("abuse", "fault"))
    parser.add_argument("--only", default="", metavar="WORDS", help="only proofs whose name has these words")
    parser.add_argument("--endurance", type=float, metavar="MINUTES", help="instead: mixed requests for so long")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
