"""The pages on options and presets, and the client's options: made from core/options.py and the presets' data files."""

from __future__ import annotations

from packshot.cli.options import SECTIONS, flag_name
from packshot.core.options import OPTIONS, Option
from packshot.core.rules import Rule
from packshot.engine.presets import Preset, find_preset, preset_names

NOTE = "<!-- Made from the code by `python -m docs.generate`; a test compares. -->\n"

ABOUT_OPTIONS = """\
Options are the same everywhere. An option's name is the form field of the API and the keyword of
`packshot.remove` and `packshot.Options`; with dashes it is the flag of the command line: `canvas`,
`packshot.remove(photo, canvas="1:1")`, `--canvas 1:1`. In Python a number of px, a share up to 1, a colour of three
numbers, a size and a box need no text: `margin=20`, `fill=0.85`, `background=(255, 255, 255)`, `canvas=(2000, 2000)`.
A switch is `true` or `false` in a form and `--crop` or `--no-crop` as a flag; a file option takes the file's bytes, as
a part of the form or by its path, and in Python whatever a photo may be. What is not said is decided by the
[preset](presets.md), if one is given, and else by the default. What contradicts itself is refused, with both names.
"""

ABOUT_PRESETS = """\
A preset holds what a marketplace asks of the first picture of a product. It does two things: it sets every
[option](options.md) that the caller does not, and it checks the file that comes out, rule by rule, with the figure
that was measured. What a marketplace requires decides whether a picture passes; what it only recommends is said and
fails nothing.

```sh
packshot remove photo.jpg --preset amazon    # makes photo-amazon.jpg, and says which rules it keeps
packshot remove photo.jpg --preset amazon,etsy,google         # a picture for each, of one matte
packshot check pictures/ --preset amazon     # judges finished pictures, made anywhere: exit code 1 if one fails
packshot presets amazon                      # shows a preset
```

Pixels do not tell all: whether it is the right product, alone, without text or props. Each preset lists what its
marketplace asks of that kind, for you to look at.
Marketplaces change their rules, and have others for some categories. Each preset says when and how its rules were
read, and `packshot presets --outdated` lists those that nobody has checked for a year; a preset is a small text file
in `src/packshot/presets/`, easy to correct.

## Repairs

With a preset packshot puts right what a required rule asks for and the picture lacks, as far as that is honest, and the
report names each repair. `repair` set to false turns that off. Nothing that you say is changed: an option that you give
stays as it is, and then the report says what to do.

| what is lacking | repair |
|---|---|
| too few pixels | it is enlarged, 1.5 times at most (or `max_upscale`), where that is enough; else not at all |
| too many pixels | the picture is scaled down |
| the product fills too little or too much | the frame is fitted |
| traces on the background, farther than 16 px from the product | they get the background's colour |
| the file is too large | the highest quality from 50 up that is small enough, then a smaller picture |
| the file is too small | a higher quality |
| the photo is animated, CMYK, or has 16 bits | its first picture is used, in sRGB, with 8 bits |

A recommended size is reached for in the same way, up to the preset's own `min_px`. A product that the photo cuts off,
or that has far too few pixels, has to be photographed again: the report says how many px it needs and how many it has.
`python -m bench.listings FOLDER` counts how many photos of a folder become ready for Amazon with repairs and without,
measured by code of its own.

## How it is measured

- **fill**: the product's box by the frame, along the side where it is tightest: the larger of width by width and
  height by height. In a picture that packshot makes the box is that of its matte. In any other it is the box of all
  that differs from a background of one colour, or is opaque on a transparent one; elsewhere the network finds it. A
  soft shadow on a plain background counts as product, dust and small print count as background.
- **background**: every pixel that is not product nor within 16 px of it, which is as far as a JPEG's edges ring. At the
  border one pixel that is off by 1 of 255 breaks the rule; elsewhere traces that no eye sees may remain, of at most
  16 of 255 in at most 0.1 % of the background, and are said.
- **whole-product**: the product reaches no edge of the picture, and none of the photo that it was cut out of.
- **file-size**: 1 MB is a million bytes, 1 KB a thousand.
- **animation**: a second frame (GIF, PNG, WebP, AVIF, HEIC) or a second page (TIFF; thumbnails and masks are no pages).
- **colour-mode**, **bit-depth**: as the file stores its pixels. The colours of a palette are RGB of 8 bits.
"""


def options_page() -> str:
    """Every option: what it does and what it takes, once for the API, the command line, the library and batch."""
    parts = [f"# Options\n\n{NOTE}\n{ABOUT_OPTIONS}"]
    for title, names in SECTIONS.items():
        rows = "\n".join(_option_row(name, OPTIONS[name]) for name in names)
        parts.append(f"\n## {title}\n\n| option | what it does | takes | examples |\n|---|---|---|---|\n{rows}\n")
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
    overview = "\n".join(
        f"| [{each.name}](#{each.name}) | {each.title} | {_counted(each)} | {each.checked} |" for each in presets
    )
    return (
        f"# Presets\n\n{NOTE}\n{ABOUT_PRESETS}\n"
        f"## All of them\n\n| name | for | rules | checked |\n|---|---|---|---|\n{overview}\n"
        + "".join(map(_preset_section, presets))
    )


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _option_row(name: str, option: Option) -> str:
    examples = ", ".join(f"`{example}`" for example in option.examples)
    takes = ", ".join(f"`{choice}`" for choice in option.choices) or option.accepts
    return f"| `{name}`<br>`{flag_name(name)}` | {option.about} | {takes} | {'' if option.choices else examples} |"


def _counted(preset: Preset) -> str:
    required = sum(rule.required for rule in preset.rules)
    return f"{required} required, {len(preset.rules) - required} recommended"


def _preset_section(preset: Preset) -> str:
    rules = "\n".join(map(_rule_row, preset.rules))
    options = ", ".join(f"`{name}` {value}" for name, value in preset.options.given().items())
    source = f"<{preset.source}>. " if preset.source else ""
    return (
        f"\n## {preset.name}\n\n{preset.title}. {preset.about}\n\n"
        f"| rule | asks for | | why |\n|---|---|---|---|\n{rules}\n\n"
        f"It sets {options}.\n\n{_hints(preset)}"
        f"Source: {source}Checked {preset.checked}. {preset.evidence}\n"
    )


def _hints(preset: Preset) -> str:
    if not preset.hints:
        return ""
    return "No pixel tells it, look yourself:\n\n" + "".join(f"- {hint}\n" for hint in preset.hints) + "\n"


def _rule_row(rule: Rule) -> str:
    return f"| {rule.name} | {rule.asked} | {'required' if rule.required else 'recommended'} | {rule.why} |"
