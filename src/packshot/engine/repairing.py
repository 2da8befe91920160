"""Repairs a picture that breaks preset rules: draws, encodes and checks again until it passes or no repair helps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from packshot.core.render import framed_mask
from packshot.core.repair import (
    best_quality,
    clean_ground,
    fitting_fill,
    frame_fitted,
    ground_cleaned,
    quality_changed,
    scaled_down,
    smaller_side,
)
from packshot.core.rule_kinds import Background, FileSize
from packshot.core.rules import Rule, is_repairable
from packshot.engine.drawing import check_rules, draw_again, encode, encode_with
from packshot.engine.job import Work
from packshot.engine.judging import VISIBLE
from packshot.engine.presets import find_preset

ROUNDS = 4
"""Most repairs of one picture: the limit ends a loop where fixing one rule breaks another."""

CLEAN_QUALITY = 97
LARGER_QUALITIES = (97, 100)
"""Tried in this order where a marketplace rejects small files: bol's minimum of 30 KB fails thin products on white."""


def put_right(work: Work) -> None:
    """Repair the broken rules in the report, one after the other. Each repair updates the report."""
    tried: set[tuple[str, object]] = set()
    for _ in range(ROUNDS):
        assert work.report is not None  # noqa: S101 - for the type checker: the stage's condition
        for check in filter(is_repairable, work.report.checks):
            repair = _REPAIRS.get(check.rule)
            before = (check.rule, check.measured)
            if repair is not None and before not in tried and repair(work):
                tried.add(before)
                check_rules(work)
                break
        else:
            return


def _fill(work: Work) -> bool:
    asked = work.recipe.framing.fill
    if "fill" not in work.recipe.mends or asked is None:
        return False
    shown = work.frame.shown(work.visible).size
    fill = max(shown.width / work.frame.size.width, shown.height / work.frame.size.height)
    fitting = fitting_fill(_rules(work), asked, fill)
    if fitting is None:
        return False
    work.recipe = replace(work.recipe, framing=replace(work.recipe.framing, fill=fitting))
    draw_again(work)
    work.repairs.append(frame_fitted(fitting))
    return True


def _ground(work: Work) -> bool:
    colour = work.recipe.background
    if "ground" not in work.recipe.mends or not isinstance(colour, tuple) or work.rendering.alpha is not None:
        return False
    shown = (framed_mask(work.found.matte, work.frame) >= VISIBLE).view(np.uint8)
    cleaned, share = clean_ground(work.rendering.rgb, shown, colour)
    if share:
        work.rendering = replace(work.rendering, rgb=cleaned)
        work.repairs.append(ground_cleaned(share))
        encode(work)
        return True
    return _higher_quality(work, CLEAN_QUALITY, Background.name)  # compression artefacts of the file


def _higher_quality(work: Work, quality: int, rule: str) -> bool:
    before = work.recipe.quality
    if before is None or before >= quality or "quality" not in work.recipe.mends:
        return False
    work.recipe = replace(work.recipe, quality=quality)
    encode(work)
    work.repairs.append(quality_changed(before, quality, rule))
    return True


def _file_size(work: Work) -> bool:
    """Lower the quality; if that is not enough, shrink the picture. Raise the quality where the file is too small."""
    bounds = [rule for rule in _rules(work) if isinstance(rule, FileSize) and rule.required]
    most_bytes, quality = int(1e6 * min(rule.most_mb for rule in bounds)), work.recipe.quality
    if len(work.encoded) <= most_bytes:
        return any(_higher_quality(work, higher, FileSize.name) for higher in LARGER_QUALITIES)
    if quality is not None and "quality" in work.recipe.mends:
        best = best_quality(most_bytes, quality, lambda lower: encode_with(work, lower))
        if best is not None:
            work.recipe, work.encoded = replace(work.recipe, quality=best[0]), best[1]
            work.repairs.append(quality_changed(quality, best[0], FileSize.name))
            return True
    if "size" not in work.recipe.mends:
        return False
    longest = smaller_side(work.frame.size, len(work.encoded), most_bytes)
    work.recipe = replace(work.recipe, framing=replace(work.recipe.framing, max_px=longest, min_px=None))
    draw_again(work)
    work.repairs.append(scaled_down(work.frame.size.longest))
    return True


_REPAIRS: Mapping[str, Callable[[Work], bool]] = {"fill": _fill, "background": _ground, "file-size": _file_size}
"""Repair functions by broken rule; each returns whether it changed something."""


def _rules(work: Work) -> tuple[Rule, ...]:
    assert work.recipe.preset is not None  # noqa: S101 - for the type checker: the stage's condition
    return find_preset(work.recipe.preset).rules
