"""The pages on options and presets, and the client's options: made from core/options.py and the presets' data files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlsplit

from packshot.cli.options import SECTIONS, flag_name
from packshot.core.options import OPTIONS, Option
from packshot.core.rules import Rule
from packshot.engine.presets import Preset, find_preset, preset_names

ABOUT_OPTIONS = """\
Every option has the same name and takes the same values in the API, the library, `packshot.client`, the command line
and batches.

| in | an option is | example |
|---|---|---|
| HTTP API | a form field, or a member of the JSON part `options` | `-F canvas=1:1` |
| Python | a keyword of `packshot.remove` and its relatives, and a field of `packshot.Options` | `canvas="1:1"` |
| command line | a flag, with dashes in place of underscores | `--canvas 1:1` |

| kind | form field | Python | flag |
|---|---|---|---|
| switch | `true` or `false` | `True` or `False` | `--crop`, `--no-crop` |
| file | a file part | bytes, a path or any other photo | the file's path |
| px, share | text | text or a number: `margin=20`, `fill=0.85` | text |
| colour, size, box | text | text or numbers: `background=(255, 255, 255)`, `canvas=(2000, 2000)` | text |

An option that you leave out gets the value of the [preset](presets.md), or else its default. Options that contradict
each other are refused; the error names both.
"""

ABOUT_PRESETS = """\
A preset holds the rules of a marketplace for the first picture of a product. It sets every [option](options.md) that
you leave out, and it checks the finished file against each rule. Required rules decide whether a picture passes.
Recommended rules are only reported.

```sh
packshot remove photo.jpg --preset amazon    # makes photo-amazon.jpg and reports each rule
packshot check pictures/ --preset amazon     # checks finished pictures; exit code 1 if one fails
packshot presets amazon                      # shows a preset, and how its rules were read
packshot presets --outdated                  # lists presets that nobody has checked for a year
```

Some rules cannot be checked by pixels, such as "no props". They are listed under *check yourself*. Marketplaces change
their rules, and some categories have other ones. A preset is a text file in `src/packshot/presets/`.

"""

AFTER_PRESETS = """
## Repairs

packshot repairs a picture that breaks a required rule, as far as that is honest. The report names each repair. An
option that you set is never changed. `repair=false` turns repairs off.

| fault | repair |
|---|---|
| too few pixels | enlarged 1.5 times at most (`max_upscale` sets another limit), if that is enough |
| too many pixels | scaled down |
| the product fills too little or too much | the frame is fitted |
| traces on the background, more than 16 px from the product | painted in the background's colour |
| the file is too large | the highest quality from 50 up that fits, then a smaller picture |
| the file is too small | a higher quality |
| animated, CMYK, or 16 bits | the first picture is used, in sRGB, with 8 bits |

A recommended size is reached in the same way, up to the preset's own `min_px`. If the photo cuts off the product, or
shows it far too small, take the photo again: the report says how many px it needs and has.

## How rules are measured

| rule | measured as |
|---|---|
| `fill` | the product's box divided by the frame: the larger of width by width and height by height |
| `background` | every pixel that is not product and not within 16 px of it (a JPEG's edges reach that far) |
| `whole-product` | the product touches no edge of the picture, and no edge of the photo |
| `file-size` | 1 MB is 1,000,000 bytes, 1 KB is 1000 |
| `animation` | a second frame (GIF, PNG, WebP, AVIF, HEIC) or a second page (TIFF; thumbnails and masks do not count) |
| `colour-mode`, `bit-depth` | as the file stores its pixels; a palette counts as RGB with 8 bits |

**The product's box.** In a picture that packshot makes, it is the box of the matte. In other pictures it is the box of
all that differs from a background of one colour, or of all that is opaque. Otherwise the network finds it. A soft
shadow on a plain background counts as product; dust and small print count as background.

**The background's tolerance.** At the border, one pixel that is off by 1 of 255 breaks the rule. Elsewhere, invisible
traces are allowed and reported: at most 16 of 255, in at most 0.1 % of the background.
"""


def options_page() -> str:
    """Every option: what it does and what it takes, once for the API, the command line, the library and batch."""
    parts = [f"# Options\n\n{ABOUT_OPTIONS}"]
    for title, names in SECTIONS.items():
        rows = "\n".join(_option_row(name, OPTIONS[name]) for name in names)
        parts.append(f"\n## {title}\n\n| option | what it does | takes |\n|---|---|---|\n{rows}\n")
    return "".join(parts)


def client_options() -> str:
    """The options as the client has them: a class for type checkers, and the names of those that are files."""
    kinds = {"text": "str", "switch": "bool", "whole number": "int", "number": "float", "file": "Photo"}
    lines = [
        f"    {name}: " + (f"Literal[{_quoted(option.choices)}]" if option.choices else kinds[option.kind])
        for name, option in OPTIONS.items()
    ]
    files = _quoted(tuple(name for name, option in OPTIONS.items() if option.kind == "file"))
    return (
        "class OptionFields(TypedDict, total=False):\n"
        '    """Every option of a packshot. All may be left out; a preset, and then a default, decides."""\n\n'
        + "\n".join(lines)
        + f"\n\n\nFILE_OPTIONS = frozenset({{{files}}})"
    )


def presets_page() -> str:
    """Every preset: its rules, what it sets, its source and date."""
    presets = [find_preset(name) for name in preset_names()]
    common = _common(presets)
    overview = "\n".join(
        f"| [{each.name}](#{each.name}) | {each.title} | {_counted(each)} | {each.checked} |" for each in presets
    )
    return (
        f"# Presets\n\n{ABOUT_PRESETS}"
        f"| name | for | required rules | recommended | read on |\n|---|---|---|---|---|\n{overview}\n\n"
        f"Unless its table says otherwise, a preset sets {_set(common)}.\n"
        + "".join(_preset_section(each, common) for each in presets)
        + AFTER_PRESETS
    )


def _common(presets: list[Preset]) -> dict[str, object]:
    """The options that all presets set, and most of them to the same value, with that value."""
    given = [each.options.given() for each in presets]
    counts = Counter((name, str(value)) for options in given for name, value in options.items())
    return {
        name: value
        for (name, value), number in counts.items()
        if number > len(presets) / 2 and all(name in options for options in given)
    }


def _set(options: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in options.items())


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _option_row(name: str, option: Option) -> str:
    examples = ", ".join(f"`{example}`" for example in option.examples)
    takes = ", ".join(f"`{choice}`" for choice in option.choices)
    if not takes:
        takes = f"{option.accepts}. Example: {examples}" if examples else option.accepts
    about = " ".join(option.about.split())
    return f"| `{name}`<br>`{flag_name(name)}` | {about} | {takes} |"


def _counted(preset: Preset) -> str:
    required = sum(rule.required for rule in preset.rules)
    return f"{required} | {len(preset.rules) - required}"


def _preset_section(preset: Preset, common: Mapping[str, object]) -> str:
    own = {name: value for name, value in preset.options.given().items() if common.get(name) != str(value)}
    rows = {
        "required": "<br>".join(_rule(rule) for rule in preset.rules if rule.required),
        "recommended": "<br>".join(_rule(rule) for rule in preset.rules if not rule.required),
        "sets": _set(own),
        "check yourself": "<br>".join(preset.hints),
        "source": f"[{urlsplit(preset.source).hostname}]({preset.source})" if preset.source else "",
    }
    table = "\n".join(f"| {name} | {text} |" for name, text in rows.items() if text)
    return f"\n## {preset.name}\n\n{preset.about}\n\n| | {preset.title} |\n|---|---|\n{table}\n"


def _rule(rule: Rule) -> str:
    return f"`{rule.name}`: {rule.asked}" + (f" ({rule.why.rstrip('.')})" if rule.why else "")
