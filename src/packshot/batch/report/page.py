"""Makes report.html: a page without external resources, photos to review first."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from itertools import groupby
from urllib.parse import quote

from packshot.batch.catalogue import Counts, Summary
from packshot.batch.evenness import Evenness, Spread
from packshot.batch.printable import printable
from packshot.batch.process import Row
from packshot.batch.progress import duration

STATES = {"failed": "Failed", "broken": "Break a rule", "review": "To look at", "fine": "Fine"}


@dataclass(frozen=True)
class RunFacts:
    """The run that a report is about. photos, out: places. facts: options, network and so on."""

    photos: str
    out: str
    facts: Mapping[str, object]
    summary: Summary


@dataclass(frozen=True)
class Tally:
    """Counts of problems: failed photos by error slug, and broken preset rules by name."""

    failures: Counter[str]
    rules: Counter[str]

    @staticmethod
    def of(rows: Iterable[Row]) -> Tally:
        """Count the problems. rows: grouped by photo."""
        failures: Counter[str] = Counter()
        rules: Counter[tuple[str, str]] = Counter()
        presets: set[str] = set()
        for photo in by_photo(rows):
            failures.update({row["error"]["slug"] for row in photo if not row["ok"]})
            for row in photo:
                if preset := row.get("preset"):
                    presets.add(preset["title"])
                    rules.update((preset["title"], check["rule"]) for check in _not_kept(preset))
        names = ((f"{rule} ({title})" if len(presets) > 1 else rule, count) for (title, rule), count in rules.items())
        return Tally(failures, Counter(dict(names)))


def by_photo(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Groups adjacent rows of the same photo."""
    return (list(photo) for _, photo in groupby(rows, lambda row: str(row["source"])))


def page(
    rows: list[Row],
    about: RunFacts,
    tally: Tally,
    bases: tuple[str | None, str | None],
    even: Sequence[Evenness] = (),
) -> str:
    """The HTML of report.html.

    rows: grouped by photo, worst first. bases: prefixes of links to photos and to outputs; None for no links. even: one
    per category and preset of an even catalogue.
    """
    counts = about.summary.counts
    style, script = _part("page.css"), _part("page.js")
    policy = f"default-src 'none'; img-src 'self' file:; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    title = f"packshot: {counts.made:,} made, {counts.failed:,} failed"
    photos = list(by_photo(rows))
    cards = "\n".join(_card(place, photo, bases) for place, photo in enumerate(photos))
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
<h1>{_headline(counts)}</h1>
{_facts(about, tally)}
</header>
<main>
{_how_even(even, photos)}
{_controls(photos, counts)}
<ol id="photos">
{cards}
</ol>
<button type="button" id="more" hidden>Show more</button>
</main>
<script>{script}</script>
</body>
</html>
"""


def _headline(counts: Counts) -> str:
    if counts.pictures <= counts.made:
        return f"{counts.made:,} packshots, {counts.failed:,} failed"
    return f"{counts.made:,} photos, {counts.pictures:,} pictures, {counts.failed:,} failed"


def states(row: Row) -> list[str]:
    """The STATES of an output."""
    if not row["ok"]:
        return ["failed"]
    broken = not (row.get("preset") or {"passed": True})["passed"]
    return [name for name, true in (("broken", broken), ("review", row.get("review"))) if true] or ["fine"]


def photo_states(photo: list[Row]) -> list[str]:
    """The STATES of a photo with these outputs, worst first."""
    found = {state for row in photo for state in states(row)} - {"fine"}
    return [name for name in STATES if name in found] or ["fine"]


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
        rate = f", {summary.rate:.1f} per second" if summary.rate else ""
        facts["This run"] = f"{summary.now:,} photo{'s' * (summary.now > 1)} in {duration(summary.seconds)}{rate}"
    if summary.left:
        facts["Not done yet"] = f"{summary.left:,} photos: the same command continues with them"
    for name, counter in (("Failed because", tally.failures), ("Rules not kept", tally.rules)):
        if counter:
            facts[name] = ", ".join(f"{what} {count:,}" for what, count in counter.most_common())
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{_shown(value)}</dd></div>" for name, value in facts.items())
    return f"<dl>{items}</dl>"


def _wish(name: str, value: object) -> str:
    if isinstance(value, bool):
        return name if value else f"no {name}"
    return f"{name} {value}"


_FIGURES = {
    "fill": "Fill",
    "x": "Centre, horizontal",
    "y": "Centre, vertical",
    "brightness": "Brightness",
    "ground": "Ground",
}
_WHY = {
    "larger": "the product would not fit at this scale",
    "smaller": "the product would be too small at this scale",
    "few pixels": "the photo has too few pixels",
}
_SHORT = {"larger": "too large", "smaller": "too small", "few pixels": "too few pixels"}
_CATEGORIES, _ODD = 100, 5
"""Most categories to show, the ones with the oddest pictures first; most odd pictures to show of each."""


def _how_even(even: Sequence[Evenness], photos: list[list[Row]]) -> str:
    """The section about evenness: odd pictures first, then the measured figures of each category."""
    if not even:
        return ""
    place = {photo[0]["source"]: number for number, photo in enumerate(photos)}
    worst = sorted(even, key=lambda each: (-abs(each.odd[0].by) if each.odd else 0, each.category, each.preset))
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("Category", "Pictures", "Of another scale", *_FIGURES.values())
    )
    lines = "".join(_even_line(each) for each in worst[:_CATEGORIES])
    odd = "".join(_odd_line(each, place) for each in worst[:_CATEGORIES] if each.odd)
    rest = f"<p>This table shows {_CATEGORIES} of {len(even):,} categories.</p>" if len(even) > _CATEGORIES else ""
    return (
        '<section class="even"><h2>Evenness</h2><p>Measured in the written pictures: the median of each figure, and '
        "in brackets its 5th and 95th percentile.</p>"
        f"{f'<h3>Look at these first</h3><ul>{odd}</ul>' if odd else '<p>No picture is odd.</p>'}"
        f'<div class="wide" tabindex="0"><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>'
        f"{rest}</section>"
    )


def _even_line(each: Evenness) -> str:
    cells = "".join(f"<td>{_spread(each.spreads.get(figure))}</td>" for figure in _FIGURES)
    off = ", ".join(f"{count:,} {_SHORT[why]}" for why, count in sorted(each.off.items()))
    return f'<tr><th scope="row">{_category(each)}</th><td>{each.count:,}</td><td>{off or "none"}</td>{cells}</tr>'


def _category(each: Evenness) -> str:
    return _shown(", ".join(filter(None, (each.category or "(IN itself)", each.preset))))


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return ""
    return f"{100 * spread.median:.1f} % <small>({100 * spread.low:.1f} to {100 * spread.high:.1f})</small>"


def _odd_line(each: Evenness, place: Mapping[str, int]) -> str:
    parts = []
    for odd in each.odd[:_ODD]:
        name = _shown(odd.output)
        link = f'<a href="#photo-{place[odd.source]}">{name}</a>' if odd.source in place else name
        why = f", {_WHY[odd.why]}" if odd.why in _WHY else ""
        parts.append(f"{link} ({_FIGURES[odd.figure].lower()} {100 * odd.value:.1f} %{why})")
    more = f", and {len(each.odd) - _ODD:,} more" if len(each.odd) > _ODD else ""
    return f"<li>{_category(each)}: {', '.join(parts)}{more}</li>"


def _controls(photos: list[list[Row]], counts: Counts) -> str:
    shown = Counter(name for photo in photos for name in photo_states(photo))
    choices = {"": ("All", len(photos)), **{name: (title, shown[name]) for name, title in STATES.items()}}
    radios = "".join(
        f'<label class="{name or "all"}"><input type="radio" name="state" value="{name}"{"" if name else " checked"}>'
        f"<span>{title} <b>{count:,}</b></span></label>"
        for name, (title, count) in choices.items()
        if count or not name
    )
    known = counts.made + counts.failed
    rest = (
        f"<p>The page shows the worst {len(photos):,} of {known:,} photos; report.csv contains all.</p>"
        if known > len(photos)
        else ""
    )
    return f"""<form id="controls" hidden>
<fieldset><legend>Show</legend>{radios}</fieldset>
<label>Sort by <select name="sort"><option value="place">needs a look first</option>
<option value="confidence">lowest confidence first</option><option value="name">name</option></select></label>
<label>Name <input type="search" name="name" placeholder="part of a name"></label>
<output aria-live="polite"></output>
</form>{rest}"""


def _card(place: int, photo: list[Row], bases: tuple[str | None, str | None]) -> str:
    source = _shown(photo[0]["source"])
    known = [row["confidence"] for row in photo if row.get("confidence") is not None]
    sure = f"{min(known):.4f}" if known else ""
    kinds = photo_states(photo)
    return (
        f'<li id="photo-{place}" class="{kinds[0]}{" several" if len(photo) > 1 else ""}" '
        f'data-states="{" ".join(kinds)}" data-place="{place}" data-confidence="{sure}" data-name="{source.lower()}">'
        f'<div class="pictures">{_pictures(photo, bases)}</div>'
        f'<div class="words"><h2>{source}</h2>{_decision(photo[0])}{_words(photo)}</div></li>'
    )


def _pictures(photo: list[Row], bases: tuple[str | None, str | None]) -> str:
    """The photo and its outputs; with captions if there are several outputs."""
    first = max(photo, key=lambda row: any(name.endswith("-photo.webp") for name in row.get("thumbnails", ())))
    parts = [_picture(first, "photo", "source", bases[0])]
    for row in photo:
        caption = f"<figcaption>{_shown(_caption(row))}</figcaption>" if len(photo) > 1 else ""
        if row["ok"]:
            parts.append(_picture(row, "output", "output", bases[1], caption))
    return "".join(parts)


def _caption(row: Row) -> str:
    """The name of an output's preset, from its folder."""
    return str(row["output"].partition("/")[0])


def _picture(row: Row, kind: str, key: str, base: str | None, caption: str = "") -> str:
    found = {name.rsplit("-", 1)[-1].removesuffix(".webp"): name for name in row.get("thumbnails", ())}
    name = _shown(row[key])
    inside = (
        f'<img loading="lazy" decoding="async" alt="{kind.title()} {name}" src="{quote(found[kind])}">'
        if kind in found
        else f'<span class="none">no preview of the {kind}</span>'
    )
    if base is not None:
        inside = f'<a href="{escape(base + quote(row[key], errors="surrogateescape"))}">{inside}</a>'
    return f'<figure class="{kind}"><div>{inside}</div>{caption}</figure>'


_VERDICTS = {
    "good": "Good",
    "corrected": "Corrected",
    "again": "Made again",
    "photograph-again": "Photograph again",
}


def _decision(row: Row) -> str:
    """A person's decision about the photo, unless it was withdrawn."""
    said = row.get("decision", {})
    if said.get("verdict") not in _VERDICTS:
        return ""
    own = ", ".join(_wish(name.replace("_", " "), value) for name, value in said["options"].items())
    more = "; ".join(filter(None, (f"by {said['by']}" if said["by"] else "", own, said["comment"])))
    return f'<p class="decision"><b>{_VERDICTS[said["verdict"]]}</b>{_shown(f" ({more})" if more else "")}</p>'


def _words(photo: list[Row]) -> str:
    """The facts about each output. Outputs with the same failure share one paragraph."""
    failures: dict[str, list[str]] = {}
    parts = []
    for row in photo:
        if row["ok"]:
            parts.append(_words_of(row, f"<b>{_shown(_caption(row))}</b>: " if len(photo) > 1 else ""))
        else:
            error = row["error"]
            text = f"{_shown(error['message'])} {_shown(error['hint'])} <code>{escape(error['slug'])}</code>"
            failures.setdefault(text, []).append(_caption(row))
    for text, names in failures.items():
        which = "" if len(names) == len(photo) else f" {_shown(', '.join(names))}"
        parts.insert(0, f'<p class="not-kept"><b>Failed{which}:</b> {text}</p>')
    return "".join(parts)


def _words_of(row: Row, name: str) -> str:
    size = f"{row['width']} x {row['height']} px, {_size(row['bytes'])}"
    confidence = row.get("confidence")
    sure = "" if confidence is None else f"confidence {confidence:.2f}, "
    look = ' <strong class="look">Look at it.</strong>' if row.get("review") else ""
    parts = [f'<p class="quiet">{name}{sure}{size}{look}</p>']
    parts += [f'<p class="not-kept"><b>Not kept:</b> {_shown(c["message"])}</p>' for c in _not_kept(row.get("preset"))]
    repairs = [repair["message"] for repair in (row["preset"] or {}).get("repairs", ())]
    notes = "".join(f"<p>{_shown(note)}</p>" for note in (*repairs, *row["notes"]))
    return "".join(parts) + _rules(row["preset"], notes, review=bool(row.get("review")))


def _shown(text: str) -> str:
    """Text that may contain a file's name, escaped for the page."""
    return escape(printable(text))


def _not_kept(preset: Row | None) -> list[Row]:
    return [check for check in (preset or {"checks": ()})["checks"] if check["required"] and not check["passed"]]


def _rules(preset: Row | None, notes: str, *, review: bool) -> str:
    """All rules, in a closed details element, with the notes, because most notes explain a broken rule."""
    if preset is None:
        return notes
    required, broken = sum(check["required"] for check in preset["checks"]), len(_not_kept(preset))
    kept = f"all {required} rules kept{', but look at the picture before you use it' if review else ''}"
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
