"""`python -m bench`: prints all tables. Run it on an idle machine."""

from __future__ import annotations

import argparse
import platform

from bench import pipeline, start
from packshot.engine.process import tune_process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15, help="runs of each stage; the median is shown")
    options = parser.parse_args()
    tune_process()
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    print(pipeline.report(repeats=options.repeats), "\n")
    print(start.report())


if __name__ == "__main__":
    main()
