"""report.html: one page without anything from elsewhere, the photos that need a human first."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from urllib.parse import quote

from packshot.batch.catalogue import Counts, Summary
from packshot.batch.printable import printable
from packshot.batch.process import Row
from packshot.batch.progress import duration

STATES = {"failed": "Failed", "broken": "Break a rule", "review": "To look at", "fine": "Fine"}


@dataclass(frozen=True)
class RunFacts:
    """What a report is of. photos, out: places. facts: options, network and so on."""

    photos: str
    out: str
    facts: Mapping[str, object]
    summary: Summary


@dataclass(frozen=True)
class Tally:
    """How often what went wrong: failures by slug, rules by name."""

    failures: Counter[str]
    rules: Counter[str]

    @staticmethod
    def of(rows: Iterable[Row]) -> Tally:
        failures: Counter[str] = Counter()
        rules: Counter[str] = Counter()
        for row in rows:
            if not row["ok"]:
                failures[row["error"]["slug"]] += 1
            rules.update(check["rule"] for check in _not_kept(row.get("preset")))
        return Tally(failures, rules)


def page(rows: list[Row], about: RunFacts, tally: Tally, bases: tuple[str | None, str | None]) -> str:
    """rows: the worst first. bases: what links to photos and to outputs begin with, where they can be links."""
    counts = about.summary.counts
    style, script = _part("page.css"), _part("page.js")
    policy = f"default-src 'none'; img-src 'self' file:; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    title = f"packshot: {counts.made:,} made, {counts.failed:,} failed"
    cards = "\n".join(_card(place, row, bases) for place, row in enumerate(rows))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{counts.made:,} packshots, {counts.failed:,} failed</h1>
{_facts(about, tally)}
</header>
<main>
{_controls(rows, counts)}
<ol id="photos">
{cards}
</ol>
<button type="button" id="more" hidden>Show more</button>
</main>
<script>{script}</script>
</body>
</html>
"""


def states(row: Row) -> list[str]:
    """Which of STATES are true of a photo."""
    if not row["ok"]:
        return ["failed"]
    broken = not (row.get("preset") or {"passed": True})["passed"]
    return [name for name, true in (("broken", broken), ("review", row.get("review"))) if true] or ["fine"]


def _facts(about: RunFacts, tally: Tally) -> str:
    options = about.facts["options"]
    assert isinstance(options, Mapping)  # noqa: S101 - run.py made it
    wishes = ", ".join(_wish(name.replace("_", " "), value) for name, value in options.items()) or "the defaults"
    facts = {
        "Photos": about.photos,
        "Outputs": about.out,
        "Options": wishes,
        "Network": f"{about.facts['network']}, packshot {about.facts['packshot']}",
        "Written": f"{about.facts['at']:.16}".replace("T", " ") + " UTC",
    }
    summary = about.summary
    if summary.now:
        rate = f", {summary.rate:.1f} a second" if summary.rate else ""
        facts["This run"] = f"{summary.now:,} photo{'s' * (summary.now > 1)} in {duration(summary.seconds)}{rate}"
    if summary.left:
        facts["Not done yet"] = f"{summary.left:,} photos: the same command goes on with them"
    for name, counter in (("Failed because", tally.failures), ("Rules not kept", tally.rules)):
        if counter:
            facts[name] = ", ".join(f"{what} {count:,}" for what, count in counter.most_common())
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{_shown(value)}</dd></div>" for name, value in facts.items())
    return f"<dl>{items}</dl>"


def _wish(name: str, value: object) -> str:
    if isinstance(value, bool):
        return name if value else f"no {name}"
    return f"{name} {value}"


def _controls(rows: list[Row], counts: Counts) -> str:
    shown = Counter(name for row in rows for name in states(row))
    choices = {"": ("All", len(rows)), **{name: (title, shown[name]) for name, title in STATES.items()}}
    radios = "".join(
        f'<label class="{name or "all"}"><input type="radio" name="state" value="{name}"{"" if name else " checked"}>'
        f"<span>{title} <b>{count:,}</b></span></label>"
        for name, (title, count) in choices.items()
        if count or not name
    )
    known = counts.made + counts.failed
    rest = (
        f"<p>Shown are the worst {len(rows):,} of {known:,}; report.csv has them all.</p>" if known > len(rows) else ""
    )
    return f"""<form id="controls" hidden>
<fieldset><legend>Show</legend>{radios}</fieldset>
<label>Sort by <select name="sort"><option value="place">what needs a look first</option>
<option value="confidence">least sure first</option><option value="name">name</option></select></label>
<label>Name <input type="search" name="name" placeholder="part of a name"></label>
<output aria-live="polite"></output>
</form>{rest}"""


def _card(place: int, row: Row, bases: tuple[str | None, str | None]) -> str:
    confidence = row.get("confidence")
    sure = "" if confidence is None else f"{confidence:.4f}"
    kinds = states(row)
    return (
        f'<li class="{kinds[0]}" data-states="{" ".join(kinds)}" data-place="{place}" data-confidence="{sure}" '
        f'data-name="{_shown(row["source"].lower())}"><div class="pictures">{_pictures(row, bases)}</div>'
        f'<div class="words"><h2>{_shown(row["source"])}</h2>{_words(row, confidence)}</div></li>'
    )


def _pictures(row: Row, bases: tuple[str | None, str | None]) -> str:
    found = {name.rsplit("-", 1)[-1].removesuffix(".webp"): name for name in row.get("thumbnails", ())}
    parts = []
    for kind, key, base in (("photo", "source", bases[0]), ("output", "output", bases[1])):
        if kind == "output" and not row["ok"]:
            continue
        name = _shown(row[key])
        inside = (
            f'<img loading="lazy" decoding="async" alt="{kind.title()} {name}" src="{quote(found[kind])}">'
            if kind in found
            else f'<span class="none">no preview of the {kind}</span>'
        )
        link = (
            f'<a href="{escape(base + quote(row[key], errors="surrogateescape"))}">{inside}</a>'
            if base is not None
            else inside
        )
        parts.append(f'<div class="{kind}">{link}</div>')
    return "".join(parts)


def _words(row: Row, confidence: float | None) -> str:
    if not row["ok"]:
        error = row["error"]
        return (
            f'<p class="not-kept"><b>Failed:</b> {_shown(error["message"])} {_shown(error["hint"])} '
            f"<code>{escape(error['slug'])}</code></p>"
        )
    size = f"{row['width']} x {row['height']} px, {_size(row['bytes'])}"
    sure = "" if confidence is None else f"confidence {confidence:.2f}, "
    look = ' <strong class="look">Look at it.</strong>' if row.get("review") else ""
    parts = [f'<p class="quiet">{sure}{size}{look}</p>']
    parts += [f'<p class="not-kept"><b>Not kept:</b> {_shown(c["message"])}</p>' for c in _not_kept(row.get("preset"))]
    notes = "".join(f"<p>{_shown(note)}</p>" for note in row["notes"])
    return "".join(parts) + _rules(row["preset"], notes, review=bool(row.get("review")))


def _shown(text: str) -> str:
    """Text that may hold a file's name, as the page shows it."""
    return escape(printable(text))


def _not_kept(preset: Row | None) -> list[Row]:
    return [check for check in (preset or {"checks": ()})["checks"] if check["required"] and not check["passed"]]


def _rules(preset: Row | None, notes: str, *, review: bool) -> str:
    """All rules, folded, and the notes with them: they mostly say why a rule is not kept."""
    if preset is None:
        return notes
    required, broken = sum(check["required"] for check in preset["checks"]), len(_not_kept(preset))
    kept = f"all {required} rules kept{', but look at it before you use it' if review else ''}"
    verdict = f"{broken} of {required} rules not kept" if broken else kept
    items = "".join(
        f'<li class="{_mark(check)}"><b>{_MARKS[_mark(check)]}</b> {_shown(check["message"])}</li>'
        for check in preset["checks"]
    )
    title = escape(preset["title"])
    return f"<details><summary>{title}: {verdict}</summary><ul>{items}</ul>{notes}</details>"


_MARKS = {"kept": "Kept", "not-kept": "Not kept", "wish": "Advice"}


def _mark(check: Row) -> str:
    return "kept" if check["passed"] else "not-kept" if check["required"] else "wish"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


@cache
def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
