"""`python -m tests.fuzz --minutes 10`: fuzz decoders, headers, forms and the whole pipeline; print the findings.

Two engines. atheris (libFuzzer; Python 3.11) mutates files and forms, and keeps inputs that reach new lines of Python.
Each target runs in its own process, because a crashing decoder ends its process. hypothesis then draws pictures and
options for the whole pipeline. Every input must keep three rules: no exception but a PackshotError, a bound of
processor time, a bound of memory. The folder of --findings receives the inputs that break a rule, and the exit status
is then 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

from tests.fuzz import campaign, pipeline
from tests.fuzz.targets import TARGETS

SHARES = {"decode": 0.45, "probe": 0.2, "form": 0.15, "pipeline": 0.2}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--only", choices=SHARES, help="all of the time for one target")
    parser.add_argument(
        "--findings", type=Path, default=Path("build/fuzz"), help="folder for inputs that break a bound"
    )
    parser.add_argument("--corpus", type=Path, help="folder in which inputs that reached something new are kept")
    chosen = parser.parse_args()
    seconds = (
        {chosen.only: 60 * chosen.minutes} if chosen.only else {k: 60 * chosen.minutes * v for k, v in SHARES.items()}
    )
    chosen.findings.mkdir(parents=True, exist_ok=True)
    for name, target in TARGETS.items():
        more = f" and {target.memory_factor} times its length" if target.memory_factor else ""
        print(
            f"bounds of one input, {name}: {target.seconds:g} s of processor time, {target.memory_bytes >> 20} MB{more}"
        )
    print()
    rows = []
    for name, share in seconds.items():
        if name in TARGETS and importlib.util.find_spec("atheris") is None:
            print(f"{name}: skipped, atheris is not installed (uv sync --group proof, on Python 3.11)")
        elif name in TARGETS:
            with tempfile.TemporaryDirectory() as corpus:
                kept = chosen.corpus / name if chosen.corpus else Path(corpus)
                kept.mkdir(parents=True, exist_ok=True)
                rows.append(campaign.run(name, share, kept, chosen.findings))
        else:
            rows.append(pipeline.run(share, chosen.findings))
    print(campaign.table(rows))
    return 1 if any(row.findings for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
