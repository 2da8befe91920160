"""`python -m evaluation.capacity`: compares the simulation with the measurement, and plans from the simulation.

With --write it also updates the figures and the picture of docs/explanation/capacity.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluation.capacity import picture, plan, validate
from evaluation.capacity.measure import MEASURED, Measurements, read

RATES = (10.0, 1_000.0, 100_000.0)
DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- python -m evaluation.capacity --write: from here -->", "<!-- to here -->"


def page(found: Measurements, aim: plan.Aim) -> str:
    """All figures, as Markdown."""
    line_ms = {count: 1000 * sum(times) / len(times) for count, times in found.line.items()}
    told = ", ".join(f"{mean:.0f} ms with {count} at once" for count, mean in line_ms.items())
    load = f"{min(found.load_average):.0f} to {max(found.load_average):.0f}"
    return f"""On {found.machine["processor"]}, at a load average of {load}, including the measured load.

A photo takes a core {told} (mean of {sum(map(len, found.line.values())):,} photos, 640 to 2000 px). A request takes
{1000 * found.loop_s:.0f} ms in addition.

### Predicted and measured

{validate.table(validate.compare(found))}

### Plans

Aim: 95 of 100 pictures within {1000 * aim.p95_s:.0f} ms, and workers that are busy at most {aim.busiest:.0%} of their
time. A replica has {aim.cores} cores, and a core costs {aim.price:g} an hour.

{plan.table([plan.plan(found, aim, rate) for rate in RATES])}

### Load on the backing services

{plan.backing(found, RATES)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m evaluation.capacity", description=__doc__)
    default = plan.Aim()
    parser.add_argument("--measured", type=Path, default=MEASURED, help="output file of evaluation.capacity.measure")
    parser.add_argument("--p95", type=float, default=default.p95_s, help="seconds")
    parser.add_argument("--price", type=float, default=default.price, help="price of a core per hour, in your currency")
    parser.add_argument("--cores", type=int, default=default.cores, help="cores of a replica")
    parser.add_argument("--busiest", type=float, default=default.busiest, help="highest planned load of workers")
    parser.add_argument("--write", action="store_true", help="update docs/explanation/capacity.md and its picture")
    options = parser.parse_args()
    found, aim = read(options.measured), plan.Aim(options.p95, options.price, options.cores, options.busiest)
    text = page(found, aim)
    print(text)
    if options.write:
        write(text, picture.svg(picture.curves(found, aim), aim))


def write(text: str, drawing: str, docs: Path = DOCS) -> None:
    """Write the figures between the two marks of docs/explanation/capacity.md, and draw the picture."""
    (docs / "pictures" / "capacity.svg").write_text(drawing, encoding="utf-8")
    old = (docs / "explanation/capacity.md").read_text(encoding="utf-8")
    before, _, rest = old.partition(BEGIN)
    after = rest.partition(END)[2]
    (docs / "explanation/capacity.md").write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
